"""Which second models a diagnosis takes again, and which it refuses; what an audit says of them."""

from dataclasses import replace

import numpy as np
import pytest

import openrlhf_unlearn.pipeline.diagnose as verb
from openrlhf_unlearn.causes import CAUSES, SURE
from openrlhf_unlearn.causes.audit import audit
from openrlhf_unlearn.causes.diagnosis import Diagnosis
from openrlhf_unlearn.causes.evidence import values
from openrlhf_unlearn.causes.observed import Observed
from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.pipeline.diagnose import (
    DiagnoseOptions,
    audit_report,
    called,
    check_names,
    check_others,
    known_models,
    made_from,
    second_models,
)
from openrlhf_unlearn.store.prompts import Causes
from openrlhf_unlearn.store.run_dir import write_json
from tests.causes.test_evidence import samples
from tests.causes.test_words import words
from tests.report.worlds import evaluate, prompts, start
from tests.tables import of_dicts


@pytest.fixture
def run(tmp_path, monkeypatch):
    """With evaluations final and able, and called from the folder above it."""
    monkeypatch.chdir(tmp_path)
    made = prompts(2)
    run = start(tmp_path / "f" / "run", made)
    for tag in ("final", "able"):
        evaluate(run, made, tag, n=1)
    monkeypatch.setattr("openrlhf_unlearn.causes.diagnosis.groups_of", lambda runs: {})
    return run


def test_second_models_are_found_from_any_folder_and_where_the_run_was_moved(run, tmp_path, monkeypatch):
    near = type(run)("f/run")
    kept = made_from([near], [("able", near.evaluation("able"))])
    write_json(run.causes_json, {"made_from": kept})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert made_from([run], known_models(run)) == kept
    moved = type(run)((tmp_path / "f").rename(tmp_path / "g") / "run")
    assert known_models(moved) == [("able", moved.evaluation("able"))]


def test_a_second_run_is_called_by_what_tells_it_apart_and_none_stands_alone(tmp_path, monkeypatch):
    (tmp_path / "plain" / "run").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "plain")
    assert [called(word) for word in ("run", ".", "..", "../plain/run/")] == [
        "plain/run",
        "plain",
        tmp_path.name,
        "plain/run",
    ]
    with pytest.raises(UsageError, match="--second none stands alone"):
        DiagnoseOptions(runs=("run",), second=("none", "other"))


def test_a_second_model_that_is_gone_is_named_and_can_be_forgotten(run):
    write_json(run.causes_json, {"made_from": made_from([run], [("able", run.evaluation("able"))])})
    run.evaluation("able").unlink()
    with pytest.raises(UserError, match="second model able of the last diagnosis is gone .*--second none"):
        known_models(run)


def test_no_model_confirms_itself(run):
    with pytest.raises(UserError, match="final is in the diagnosis already and would confirm itself"):
        check_others(run, [("final", run.evaluation("final"))])
    check_others(run, [("able", run.evaluation("able"))])
    for tag in ("final", "able"):
        write_json(run.evaluation_json(tag), {"settings": {"model_fingerprint": "0a1b", "model": f"path/of/{tag}"}})
    with pytest.raises(UserError, match="able is the same model as final"):
        check_others(run, [("able", run.evaluation("able"))])
    for tag in ("final", "able"):
        write_json(run.evaluation_json(tag), {"settings": {"model_fingerprint": "hub", "model": f"org/{tag}"}})
    check_others(run, [("able", run.evaluation("able"))])


def test_two_models_of_one_name_are_refused_before_any_is_sampled():
    with pytest.raises(UserError, match="runs/0/final and runs/1/final would both be called by-final"):
        check_names(["runs/0/final", "runs/1/final"])
    check_names(["a", "b"])


def found(seconds: list[str]) -> Diagnosis:
    row = {f"p_{cause}": float(cause == "wrong_label") for cause in CAUSES}
    row |= {"prompt_id": "x", "cause": "wrong_label", "probability": 1.0, "proposed": "7", "evidence": [], "group": "g"}
    return Diagnosis(of_dicts(Causes, [row]).arrow, {"seconds": seconds}, [])


def test_an_audit_by_one_model_expects_no_number_of_wrong_labels():
    counts = {"rows": 5, "unsampled": 0, "doubted": 1, "ablest": "m"}
    one, two = audit_report(found([]), counts, 1), audit_report(found(["other"]), counts, 1)
    assert "one model cannot tell" in one and "expected" not in one and "probably wrong" not in one
    assert "1 probably wrong (about 1.0 of all expected to be)" in two and "no sample" not in two
    assert "3 rows without a sample of m left out" in audit_report(found([]), {**counts, "unsampled": 3}, 1)


def test_rows_without_a_sample_are_not_called_confirmed(run):
    made = prompts(2)
    evaluate(run, made[:3], "able", n=1)
    assert len(made) > 3
    _, counts = audit(run, ["able"])
    assert counts["rows"] == 3 and counts["unsampled"] == len(made) - 3


def test_an_audit_speaks_of_no_training():
    say = words(final=samples(answers={"a": 30}), kin=np.array([0.8]))
    say.cases = replace(say.cases, when="of by-able")
    assert say.line("majority", 0).startswith("30 of 32 samples of by-able give")
    assert "training" not in say.line("kin", 0) and "the end" not in say.line("kin", 0)


def test_the_failure_of_the_able_model_is_told_by_its_name():
    """The other, not able one is right oftener on this very prompt."""
    seen = {"seconds": [samples(positive=2), samples()], "kin_second": np.array([[0.1], [0.9]])}
    assert "third solves the prompts nearest to it by wording" in words(**seen).line("second", 0)
    only = Observed(samples(), seconds=[samples(positive=2)], kin_second=np.array([[0.1]]))
    assert np.isnan(values(only)["second"][0])


@pytest.mark.filterwarnings("error")
def test_a_prompt_that_no_second_model_has_samples_of_is_no_evidence():
    none = Observed(samples(), seconds=[samples(n=0), samples(n=0)], kin_second=np.full((2, 1), np.nan))
    assert np.isnan(values(none)["second"][0])


def test_the_help_names_the_probability_from_which_a_cause_is_said():
    assert f"from a probability of {SURE:g} on" in (verb.__doc__ or "")


def test_a_second_model_is_sampled_on_the_data_that_is_named(run, monkeypatch):
    """Without --data everything is as the run says."""
    told = []
    monkeypatch.setattr(verb, "sampled", lambda run, model, **how: told.append(how) or ("m", run.evaluation("able")))
    second_models(run, "org/m", DiagnoseOptions((str(run),), data="d.jsonl", input_key="q", label_key="a"))
    second_models(run, "org/m", DiagnoseOptions((str(run),)))
    given, without = told
    assert (given["data"], given["input_key"], given["label_key"]) == ("d.jsonl", "q", "a")
    assert {name: value for name, value in without.items() if value} == {"n": 16}
