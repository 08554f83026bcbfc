"""What is positive is one property of a run: every reader counts an evaluation as its run says, and all count alike."""

import pyarrow as pa
import pytest

from openrlhf_unlearn.causes.reading import gathered, pass_rates
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.exporting import export
from openrlhf_unlearn.interventions.judged import select
from openrlhf_unlearn.interventions.sft_set import _right_of_run
from openrlhf_unlearn.labels.classify import classify, save
from openrlhf_unlearn.labels.counts import rates_by_prompt
from openrlhf_unlearn.labels.features import read_features
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json, write_table
from openrlhf_unlearn.store.training import TrainingRollouts
from tests.labels.runs import make_run
from tests.tables import of_dicts

POSITIVES = [8, 24]  # of 32 samples


@pytest.fixture
def run(tmp_path) -> RunDir:
    """Rewards of 0.1 and 0.4, of which run.json counts what is above 0.3; its evaluations do not say it themselves."""
    run = make_run(tmp_path / "run", POSITIVES, POSITIVES[::-1])
    write_json(run.run_json, {**read_json(run.run_json), "positive": {"by": "reward", "threshold": 0.3}})
    for tag in run.evaluation_tags():
        change_rewards(run, tag, lambda reward: 0.1 + 0.3 * reward)
    return run


def change_rewards(run: RunDir, tag: str, change) -> None:
    table = read_table(run.evaluation(tag))
    rewards = pa.array([change(reward) for reward in table["reward"].to_pylist()])
    write_table(run.evaluation(tag), table.set_column(table.column_names.index("reward"), "reward", rewards))


def counted(run: RunDir) -> dict[str, list[float]]:
    """pass@1 before training, as each room reads it."""
    ids, path = Prompts.ids(run), run.evaluation("initial")
    features = read_features(run, "initial")
    forecast = dict(zip(features.names, features.known[:, 0].tolist(), strict=True))
    material = Material([run])
    return {
        "classify": classify([run.path]).table["initial_pass_rate"].to_pylist(),
        "report": material.rates("initial").tolist(),
        "compare": Material([run], compared=[run]).interventions[0].rates("initial").tolist(),
        "forecast": [forecast[name] for name in ids.to_pylist()],
        "diagnose": gathered([path], ids).samples().rate.tolist(),
        "diagnose, all prompts": pass_rates([path], ids).tolist(),
        "examples": list(map(rates_by_prompt(run, "initial").get, ids.to_pylist())),
        "probe and transfer": Evaluations.read(run, "initial").hits().reshape(2, 32).mean(axis=1).tolist(),
    }


def test_where_evaluations_do_not_say_it_run_json_does(run):
    assert set(map(tuple, counted(run).values())) == {(0.25, 0.75)}


def test_what_classify_was_told_is_kept_and_holds_for_all(run):
    save(classify([run.path], threshold=0.05), [run.path])
    assert set(map(tuple, counted(run).values())) == {(1.0, 1.0)}
    save(classify([run.path]), [run.path])
    assert set(map(tuple, counted(run).values())) == {(1.0, 1.0)}, "until it is told another"
    save(classify([run.path], threshold=0.3), [run.path])
    assert set(map(tuple, counted(run).values())) == {(0.25, 0.75)}


def test_it_goes_before_what_an_evaluation_says_and_not_before_trainings_rollouts(run):
    rows = [{**row, "positive": False} for row in read_table(run.evaluation("initial")).to_pylist()]
    of_dicts(Evaluations, rows, Evaluations.positive).write(run, "initial")
    rollout = {"prompt_id": rows[0]["prompt_id"], "sample": 0, "response": "x", "verdict": "wrong"}
    of_dicts(
        TrainingRollouts,
        [{**rollout, "reward": 0.4, "positive": said} for said in (None, False)] + [{**rollout, "reward": 0.2}],
    ).write(run, 1)
    assert not Evaluations.read(run, "initial").hits().any()
    save(classify([run.path], threshold=0.05), [run.path])
    assert Evaluations.read(run, "initial").hits().all()
    assert TrainingRollouts.read(run).hits().tolist() == [True, False, False]


def test_a_row_without_a_reward_is_not_decided(run):
    change_rewards(run, "final", lambda reward: None if reward > 0.3 else reward)
    found = Evaluations.read(run, "final")
    assert found.silent().sum() == sum(POSITIVES) and not found.hits().any()


def test_a_run_that_says_nothing_has_the_default(tmp_path):
    run = make_run(tmp_path / "run", POSITIVES, POSITIVES)
    assert set(map(tuple, counted(run).values())) == {(0.25, 0.75)}
    assert not Evaluations.read(run, "initial").has(Evaluations.positive)


def test_runs_are_compared_by_one_threshold(run, tmp_path):
    after = make_run(tmp_path / "after", POSITIVES, POSITIVES, seed=1)
    save(classify([run.path], threshold=0.05), [run.path])
    before, behind = Material([run], compared=[run, after]).interventions
    assert before.rates("final").tolist() == [1, 1] and behind.rates("final").tolist() == [0.25, 0.75]
    assert behind.threshold == 0.05, "as of the first run"
    save(classify([after.path], threshold=0.5), [after.path])
    with pytest.raises(UserError, match="after was classified with --threshold 0.5, .*run with 0.05: .* classify"):
        Material([run], compared=[run, after]).interventions  # noqa: B018


def handed_on(run: RunDir, folder) -> dict[str, int]:
    """How many samples, and how many prompts, those take for correct that hand rollouts on."""
    export(run, folder, format="verl-csv")
    results = read_json(folder / "result_initial.json")
    return {
        "export": sum(row["verification"]["is_correct"] for row in results),
        "judge": len(select(run, "initial", list(set(Learnability.groups(run).values())), 2, 64, 0)),
        "sft-set": len(_right_of_run(run, run, "initial")),
    }


def test_rollouts_that_are_handed_on_are_correct_by_the_same_rule(run, tmp_path):
    """Not by the verdicts, which the evaluation was made with."""
    save(classify([run.path]), [run.path])
    assert handed_on(run, tmp_path / "first") == {"export": 32, "judge": 32, "sft-set": 2}
    save(classify([run.path], threshold=0.05), [run.path])
    assert handed_on(run, tmp_path / "all") == {"export": 64, "judge": 64, "sft-set": 2}
    save(classify([run.path], threshold=0.5), [run.path])
    with pytest.raises(UserError, match="holds no correct response"):
        handed_on(run, tmp_path / "none")
