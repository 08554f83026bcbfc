import pyarrow.compute as pc
import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.labels.classify import classify
from openrlhf_unlearn.pipeline import regrade
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table, write_json, write_table
from openrlhf_unlearn.store.training import STEP_KINDS, Clipping, Likelihood, Rewards, TrainingRollouts
from tests.labels.runs import make_run
from tests.tables import of_dicts
from tests.words import parsed

OLD_LIES = 1  # the row of the prompt whose right answers were graded wrong


def arguments(*words: str) -> regrade.RegradeOptions:
    return parsed(regrade.RegradeOptions, *words)


@pytest.fixture
def run(tmp_path) -> RunDir:
    """Two prompts, called hard and never learned; the old grader took `1.0` for wrong where the label is 1."""
    run = make_run(tmp_path / "run", [0, 0], [0, 0], ever=[1, 1], n=4)
    prompts = read_table(run.prompts).to_pylist()
    for tag in run.evaluation_tags():
        rows = read_table(run.evaluation(tag)).to_pylist()
        for row in rows:
            lied = row["prompt_id"] == prompts[OLD_LIES]["prompt_id"] and tag == "final"
            row["response"] = r"\boxed{1.0}" if lied else r"\boxed{\frac{5}{3}}"
        of_dicts(Evaluations, rows).write(run, tag)
    rollout = {"prompt_id": prompts[OLD_LIES]["prompt_id"], "sample": 0, "response": r"\boxed{1.0}"}
    of_dicts(TrainingRollouts, [{**rollout, "reward": 0.0, "verdict": "wrong"}]).write(run, 1)
    return run


def test_false_negatives_are_found_and_change_the_classification(run, capsys):
    prompt = read_table(run.prompts)["prompt_id"].to_pylist()[OLD_LIES]
    regrade.run(arguments(str(run), "--out", f"{run}-new", "--workers", "1", "--timeout-s", "30"))
    summary = read_json(run.summary)["regrade"]
    assert summary["verdicts"] == {"wrong -> wrong": 12, "wrong -> correct": 5}
    assert summary["look_right"] == 5
    assert [item["prompt_id"] for item in summary["disputed"]] == [prompt]
    assert summary["groups_before"] == {"unlearnable": 2}
    assert summary["groups_after"] == {"unlearnable": 1, "learnable": 1}
    assert summary["moved"] == [{"prompt_id": prompt, "before": "unlearnable", "after": "learnable"}]
    assert summary["unlearnable_disputed"] == {"prompts": 2, "disputed": 1}
    assert "unlearnable -> learnable" in capsys.readouterr().out


def test_a_sample_without_its_text_keeps_its_verdict_and_a_run_without_any_is_refused(run, capsys):
    def without(tags):
        for tag in tags:
            rows = [row | {"response": None, "verdict": "correct", "reward": 1.0} for row in kept[tag]]
            of_dicts(Evaluations, rows).write(run, tag)

    kept = {tag: read_table(run.evaluation(tag)).to_pylist() for tag in run.evaluation_tags()}
    without(["initial"])
    regrade.run(arguments(str(run), "--out", f"{run}-new", "--workers", "1", "--timeout-s", "30"))
    summary = read_json(run.summary)["regrade"]
    assert summary["without_text"] == 8 and "8 whose text was not kept keep their verdict" in capsys.readouterr().out
    rows = read_table(RunDir(f"{run}-new").evaluation("initial")).to_pylist()
    assert {(row["verdict"], row["reward"]) for row in rows} == {("correct", 1.0)}
    without(kept)
    run.step_file("rollouts", 1).unlink()
    with pytest.raises(UserError, match="kept no response's text"):
        regrade.run(arguments(str(run)))


def test_the_new_run_directory_is_whole(run):
    regrade.run(arguments(str(run), "--out", f"{run}-new", "--workers", "1", "--timeout-s", "30"))
    new = RunDir.open(f"{run}-new")
    assert classify([new.path]).summary["groups"]["learnable"] == 1
    before = {
        row["prompt_id"]: row["n_positive"]
        for row in read_table(run.step_file("rewards", 1)).to_pylist()
        if not row["processed"]
    }
    after = {
        row["prompt_id"]: row["n_positive"]
        for row in read_table(new.step_file("rewards", 1)).to_pylist()
        if not row["processed"]
    }
    assert sum(after.values()) == sum(before.values()) + 1
    with pytest.raises(UserError, match="exists"):
        regrade.run(arguments(str(run), "--out", str(new)))


def test_rewards_of_minus_one_and_one_stay_on_their_scale_and_the_copy_says_what_is_positive(run):
    """Positive is above -0.5, as run.json says; a rollout that turns is worth 2 of 8."""
    write_json(run.run_json, {**read_json(run.run_json), "positive": {"by": "reward", "threshold": -0.5}})
    for table in (*map(run.evaluation, run.evaluation_tags()), run.step_file("rollouts", 1)):
        scale(table, "reward")
    for step in run.steps("rewards"):
        scale(run.step_file("rewards", step), "mean_reward")
    regrade.run(arguments(str(run), "--out", f"{run}-new", "--workers", "1", "--timeout-s", "30"))
    new = RunDir.open(f"{run}-new")
    assert new.config().threshold == 0.5
    assert read_json(run.summary)["regrade"]["groups_after"] == {"unlearnable": 1, "learnable": 1}
    (before, after) = (as_sampled(one)[OLD_LIES] for one in (run, new))
    assert (after.n_positive, after.mean_reward) == (before.n_positive + 1, before.mean_reward + 2 / 8)


def test_what_was_positive_by_a_score_and_not_by_its_verdict_is_not_gained_twice(run):
    rows = [{**row, "positive": True} for row in read_table(run.step_file("rollouts", 1)).to_pylist()]
    of_dicts(TrainingRollouts, rows).write(run, 1)
    regrade.run(arguments(str(run), "--out", f"{run}-new", "--workers", "1", "--timeout-s", "30"))
    assert as_sampled(RunDir(f"{run}-new")) == as_sampled(run)


def test_every_table_of_training_is_in_the_copy(run):
    kinds = (Clipping, Likelihood)
    for kind in kinds:
        kind.of(prompt_id=["a"]).write(run, 7)
    regrade.run(arguments(str(run), "--out", f"{run}-new", "--workers", "1", "--timeout-s", "30"))
    new = RunDir(f"{run}-new")
    assert {kind: new.steps(kind.folder) for kind in STEP_KINDS} == {
        kind: run.steps(kind.folder) for kind in STEP_KINDS
    }
    assert new.step_file("likelihood", 7).read_bytes() == run.step_file("likelihood", 7).read_bytes()


def scale(path, column: str) -> None:
    """From 0 and 1 to -1 and 1."""
    table = read_table(path)
    values = pc.subtract(pc.multiply(table[column], 2.0), 1.0)
    write_table(path, table.set_column(table.column_names.index(column), column, values))


def as_sampled(run: RunDir) -> list:
    return [row for row in Rewards.read_step(run, 1).rows() if not row.processed]


def test_a_second_opinion_that_fails_leaves_nothing(run, tmp_path):
    grader = tmp_path / "broken.py"
    grader.write_text("raise RuntimeError('broken')")
    with pytest.raises(UserError, match="broken"):
        regrade.run(arguments(str(run), "--out", f"{run}-new", "--answer-format", f"{grader}:Mine"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.py", "run"]


def test_a_run_without_texts_is_refused(tmp_path):
    run = make_run(tmp_path / "run", [0], [0])
    for tag in run.evaluation_tags():
        run.evaluation(tag).unlink()
    with pytest.raises(UserError, match="save_rollouts"):
        regrade.run(arguments(str(run)))
