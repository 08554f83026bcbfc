import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.rollouts import origin
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.probes import TransferMap
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.transfer.command import short_trainings
from openrlhf_unlearn.transfer.inputs import check_model, check_rollouts, of_rollouts
from openrlhf_unlearn.transfer.options import TransferOptions
from openrlhf_unlearn.transfer.output import check_kept
from tests.tables import of_dicts

SETTINGS = {"tag": "initial", "training_rollouts": False}


def evaluated(run: RunDir, verdicts: str) -> None:
    said = {"c": "correct", "w": "wrong", "e": "error"}
    rows = [
        {"prompt_id": "p", "sample": i, "response": "x", "reward": float(v == "c"), "verdict": said[v], "n_tokens": 2}
        for i, v in enumerate(verdicts)
    ]
    of_dicts(Evaluations, rows).write(run, "initial")


def test_what_could_not_be_graded_is_in_no_pass_rate(tmp_path):
    evaluated(RunDir(tmp_path), "cwee")
    assert of_rollouts(RunDir(tmp_path), SETTINGS) == ({"p": 0.5}, {"p": 2.0})


def test_rollouts_made_again_are_told(tmp_path):
    run = RunDir(tmp_path)
    evaluated(run, "cw")
    settings = {**SETTINGS, "rollouts": origin(Evaluations.read(run, "initial"))}
    check_rollouts(run, "x", settings)
    check_rollouts(run, "x", SETTINGS)  # a probe of an earlier version does not say
    evaluated(run, "ww")
    with pytest.raises(UserError, match="are others than those of probe x"):
        check_rollouts(run, "x", settings)


def test_a_model_trained_in_place_is_told(tmp_path):
    check_model("x", {"model": str(tmp_path)})
    with pytest.raises(UserError, match="has changed since probe x"):
        check_model("x", {"model": str(tmp_path), "model_fingerprint": "other"})


def test_a_table_of_measured_changes_alone_is_kept(tmp_path):
    run, row = RunDir(tmp_path), TransferMap.Row(trained="a", changed="a", value=1.0, told=True)
    TransferMap.of_rows([row]).write(run, "p")
    check_kept(run, "p", None)
    TransferMap.of_rows([row, row._replace(measured=0.1)]).write(run, "p")
    check_kept(run, "p", 0)
    with pytest.raises(UserError, match="holds what trainings measured"):
        check_kept(run, "p", None)


def test_trainings_of_an_adapter_are_refused():
    pytest.importorskip("torch")
    with pytest.raises(UserError, match="probe x is of lora; merge it"):
        short_trainings(
            RunDir("r"), "x", None, {}, {}, {"settings": {"adapter": "lora"}}, TransferOptions("r", verify=0)
        )
