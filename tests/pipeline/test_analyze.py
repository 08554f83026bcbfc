"""The command: what it writes for whole and for partial runs, and what it says of bad use."""

import csv
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import openrlhf_unlearn
from openrlhf_unlearn import cli
from openrlhf_unlearn.stats.means import rate_interval
from openrlhf_unlearn.store.run_dir import read_json, read_table, update_summary, write_json, write_table
from tests.report.worlds import evaluate, full_run, prompts, start, train


def analyze(*argv) -> int:
    files = [] if "--figure-files" in argv else ["--figure-files"]
    return cli.main(["analyze", *map(str, argv), *files, "--offline"])


@pytest.fixture
def run(tmp_path):
    return full_run(tmp_path / "run", each=12, steps=6)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run with a report; tests only read it."""
    made = full_run(tmp_path_factory.mktemp("done") / "run")
    update_summary(made, "mine", {"a": 1})
    assert cli.main(["analyze", str(made), "--offline"]) == 0
    return made


def test_the_groups_are_the_planted_ones(run, capsys):
    assert analyze(run) == 0
    groups = read_json(run.summary)["report"]["groups"]
    assert {name: row["prompts"] for name, row in groups.items()} == {
        "easy": 12, "learnable": 12, "unlearnable": 12, "no_reward": 12
    }  # fmt: skip
    assert groups["unlearnable"]["share_of_hard"] == pytest.approx(1 / 3)
    assert 'data-key="labels.expected_improved"' in page_of(run)
    shown = capsys.readouterr().out
    assert str(run.report) in shown and "Of 48 prompts 36 were hard" in shown


def test_the_function_prints_nothing(run, capsys):
    """What its parts find is in the report; the forecast is among them."""
    made = openrlhf_unlearn.analyze(str(run), offline=True, figure_files=())
    assert made.numbers["groups"] and "forecast" in read_json(run.summary)
    assert capsys.readouterr().out == ""


def test_each_figure_is_written_with_its_data(done):
    folder, figures = done.report.parent, read_json(done.summary)["report"]["figures"]
    assert {"reward_by_group", "pass_rates", "change", "clipping", "verdicts", "acceptance", "sensitivity"} <= set(
        figures
    )
    for name, figure in figures.items():
        assert (folder / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert (folder / f"{name}.pdf").read_bytes()[:4] == b"%PDF"
        assert "<svg" in (folder / f"{name}.svg").read_text()
        with (folder / f"{name}.csv").open() as lines:
            rows = list(csv.DictReader(lines))
        assert list(rows[0]) == list(figure["data"]) and len(rows) == len(next(iter(figure["data"].values())))


def test_the_curve_is_the_mean_as_sampled(done):
    data = read_json(done.summary)["report"]["figures"]["reward_by_group"]["data"]
    table = read_table(done.step_file("rewards", 3)).to_pylist()
    group = {row["prompt_id"]: row["group"] for row in read_table(done.learnability).to_pylist()}
    rewards = [r["mean_reward"] for r in table if not r["processed"] and group[r["prompt_id"]] == "learnable"]
    at = [i for i, key in enumerate(zip(data["group"], data["step"], strict=True)) if key == ("learnable", 3.0)]
    assert (
        data["pass_rate"][at[0]] == data["mean_reward"][at[0]] == pytest.approx(np.mean(rewards))
        and data["visits"][at[0]] == 12
    )
    assert [data["low"][at[0]], data["high"][at[0]]] == pytest.approx(rate_interval(np.array(rewards))[1])


def test_what_other_commands_wrote_into_the_summary_stays(done):
    summary = read_json(done.summary)
    assert summary["mine"] == {"a": 1} and "classify" in summary and "report" in summary


def test_advice_counts_what_dropping_saves_and_writes_the_list(done):
    advice = {item["name"]: item for item in read_json(done.summary)["report"]["advice"]}
    drop = advice["drop"]
    assert drop["numbers"]["prompts"] == 24 and drop["numbers"]["rollouts"] == 24 * 8 * 6
    assert drop["numbers"]["share"] == pytest.approx(0.5)
    ids = json.loads((done.report.parent / "lists/drop.json").read_text())
    group = {row["prompt_id"]: row["group"] for row in read_table(done.learnability).to_pylist()}
    assert len(ids) == 24 and {group[name] for name in ids} == {"unlearnable", "no_reward"}
    cause = {row["prompt_id"]: row["cause"] for row in read_table(done.causes).to_pylist()}
    assert {cause[name] for name in ids} <= {"guessable", "beyond", "random_label", "undecided"}
    assert f"--unlearn.skip_prompts {done.report.parent}/lists/drop.json" == drop["flag"]


def test_one_wrong_answer_everywhere_makes_the_label_suspect(tmp_path):
    made = prompts(3, ("learnable", "no_reward"))
    run = start(tmp_path / "run", made)
    train(run, made, 3)
    evaluate(run, made, "initial")
    evaluate(run, made, "final", response=lambda p, i, right: rf"\boxed{{{p.label if right else 77}}}")
    assert analyze(run) == 0
    causes = {row["prompt_id"]: row["cause"] for row in read_table(run.causes).to_pylist()}
    assert causes.keys() == {p.id for p in made if p.kind == "no_reward"}
    assert set(causes.values()) <= {"wrong_label", "undecided"}


def test_markdown_and_json_for_machines(run, capsys):
    assert analyze(run, "--format", "md") == 0
    assert "| Unlearnable | 12 | 33 %" in capsys.readouterr().out
    assert analyze(run, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["hard"] == 36


def test_the_command_that_makes_it_again_is_on_the_page(run):
    assert analyze(run, "--tau", 0.2, "--threshold", 0.5) == 0
    assert f"openrlhf-unlearn analyze {run} --tau=0.2 --threshold=0.5" in page_of(run)


def test_groups_of_an_earlier_classify_are_shown_with_its_thresholds(run):
    """Where the labels cannot be made anew, the page must not say that this command's --tau and --easy made them."""
    assert analyze(run) == 0
    write_table(run.evaluation("final"), read_table(run.evaluation("final")).slice(5))
    assert analyze(run, "--tau", 0.3, "--easy", 0.2) == 0
    report = read_json(run.summary)["report"]
    assert report["tau"] == report["easy"] == 0.1
    assert any("the groups shown are of an earlier classify" in item["why"] for item in report["missing"])
    assert analyze(run, "--tau", 0.3, "--allow-uneven") == 0
    assert read_json(run.summary)["report"]["tau"] == 0.3


def test_repetitions_are_pooled(tmp_path):
    runs = [full_run(tmp_path / f"run{seed}", seed=seed) for seed in (0, 1)]
    assert analyze(*runs) == 0
    report = read_json(runs[1].summary)["report"]
    assert report["training"]["rollouts"] == 2 * 48 * 8 * 6
    assert report["evaluations"]["final"]["samples"] == 2 * 48 * 32
    for file in ("report.html", "reward_by_group.svg", "reward_by_group.csv", "lists/drop.json"):
        assert (runs[1].report.parent / file).read_bytes() == (runs[0].report.parent / file).read_bytes()


def test_compared_runs_are_paired_by_prompt(tmp_path, capsys):
    a = full_run(tmp_path / "stock")
    made = prompts(12)
    b = start(tmp_path / "oversampled", list(reversed(made)))  # another order of the same prompts
    train(b, made, 6, seed=5)
    evaluate(b, made, "initial", seed=1000)
    better = {p.id for p in made if p.kind == "unlearnable"}
    made = [type(p)(p.text, p.label, "learnable" if p.id in better else p.kind) for p in made]
    evaluate(b, made, "final", seed=6)
    assert analyze(a, b, "--compare") == 0
    report = read_json(a.summary)["report"]
    rows = {(row["group"], row["run"]): row for row in report["compare"]["rows"]}
    row = rows["unlearnable", "oversampled"]
    assert row["difference"] == pytest.approx(29 / 32 - 1 / 32) and row["prompts"] == 12
    assert 0.7 < row["interval"][0] < row["difference"] < row["interval"][1] < 1, "twelve equal prompts are not all"
    assert rows["easy", "oversampled"]["difference"] == 0
    assert report["groups"]["unlearnable"]["prompts"] == 12, "groups are the first run's"
    assert {"compared_rewards", "compared_pass_rates"} <= set(report["figures"])
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("| Unlearnable | oversampled |"))
    assert line.startswith("| Unlearnable | oversampled | 0.906 (0.") and "| +0.875 (+0." in line


def test_compared_runs_may_have_prompts_of_their_own(tmp_path):
    a = full_run(tmp_path / "stock", each=4)
    made = prompts(4)
    b = start(tmp_path / "augmented", [*prompts(7, ("easy",)), *made])
    train(b, made, 3)
    evaluate(b, made, "initial")
    evaluate(b, made, "final")
    assert analyze(a, b, "--compare") == 0
    rows = read_json(a.summary)["report"]["compare"]["rows"]
    assert {row["prompts"] for row in rows} == {4}


def test_figures_of_older_data_are_removed(tmp_path):
    run = full_run(tmp_path / "run", each=3)
    assert analyze(run, "--figure-files", "png") == 0
    assert run.report.with_name("change.png").exists() and (run.report.parent / "lists/drop.json").exists()
    run.evaluation("final").unlink()
    run.learnability.unlink()
    assert analyze(run) == 0
    assert not list(run.report.parent.glob("change.*")) and run.report.with_name("pass_rates.svg").exists()
    assert not run.report.with_name("pass_rates.png").exists()
    assert not (run.report.parent / "lists/drop.json").exists(), "advice needs both evaluations"


# Partial runs: each gives a page that says what it has and how to get the rest -------------------------------------


def page_of(run) -> str:
    return run.report.read_text()


def test_nothing_but_rewards(tmp_path):
    made = prompts(6)
    run = start(tmp_path / "run", made)
    train(run, made, 8, clip=False)
    assert analyze(run) == 0
    report = read_json(run.summary)["report"]
    assert report["provisional"] and report["groups"]["no_reward"]["prompts"] == 6
    assert report["groups"]["learnable"]["prompts"] >= 4
    assert "provisional" in page_of(
        run
    ) and f"openrlhf-unlearn evaluate --model m --tag initial --run {run}" in page_of(run)
    assert not report["advice"], "advice needs settled groups"


def test_evaluations_alone(tmp_path):
    made = prompts(6)
    run = start(tmp_path / "run", made)
    evaluate(run, made, "initial")
    evaluate(run, made, "final")
    assert analyze(run) == 0
    report = read_json(run.summary)["report"]
    assert report["groups"]["easy"]["prompts"] == 6 and report["training"]["steps"] == 0
    assert "No rewards were recorded" in page_of(run)


def test_not_one_step_yet(tmp_path):
    run = start(tmp_path / "run", prompts(2))
    assert analyze(run) == 0
    assert "was visited or evaluated yet" in page_of(run)
    run.prompts.unlink()
    assert analyze(run) == 0


def test_an_interrupted_run(tmp_path, capsys):
    """Training was killed at step 4 of 9, with an evaluation before it, and a final one that was only begun."""
    made = prompts(6)
    run = start(tmp_path / "run", made, args={"ckpt": {"output_dir": str(tmp_path / "model")}})
    train(run, made, 4)
    evaluate(run, made, "initial")
    (run.evaluation_parts("final")).mkdir(parents=True)
    (run.path / "rewards" / ".step-000005.parquet.abc").write_bytes(b"half a file")
    assert analyze(run) == 0
    report = read_json(run.summary)["report"]
    assert report["provisional"] and report["training"]["last_step"] == 4 and report["groups"]["easy"]["prompts"] == 6
    missing = {item["what"]: item for item in report["missing"]}
    assert "has not finished" in missing["pass@1 after training"]["why"]
    assert missing["pass@1 after training"]["command"] in page_of(run)
    assert "expected_improved" not in page_of(run)
    assert "So far: " in capsys.readouterr().out


def test_a_single_prompt(tmp_path):
    made = prompts(1, ("unlearnable",))
    run = full_run(tmp_path / "run", made=made)
    assert analyze(run) == 0
    assert read_json(run.summary)["report"]["groups"].keys() == {"unlearnable"}


def test_no_hard_prompts(tmp_path, capsys):
    run = full_run(tmp_path / "run", made=prompts(5, ("easy",)))
    assert analyze(run) == 0
    assert "there was nothing hard to learn" in capsys.readouterr().out


def test_a_final_evaluation_that_is_missing_is_named_with_its_command(run, capsys):
    run.evaluation("final").unlink()
    assert analyze(run) == 0
    assert "pass@1 after training: run.json does not say which model that is" in capsys.readouterr().out
    assert f"openrlhf-unlearn evaluate --model MODEL --tag final --run {run}" in page_of(run)


def test_an_imported_run_is_sampled_only_where_that_is_asked_for(run, monkeypatch, capsys):
    """Its prompts may lack the template in which the model was asked."""
    monkeypatch.setattr("openrlhf_unlearn.pipeline.complete.evaluate", lambda *_, **how: pytest.fail("sampled"))
    config = read_json(run.run_json)
    write_json(run.run_json, {**config, "model": str(run.path), "args": {}})
    run.evaluation("initial").unlink()
    (run.path / "config.json").write_text("{}")
    assert cli.main(["analyze", str(run), "--no-probe", "--figure-files"]) == 0
    assert "run.json names no data; an imported run is sampled where you ask for it" in capsys.readouterr().out


def test_uneven_samples_are_said_and_do_not_stop_the_page(run):
    table = read_table(run.evaluation("final"))
    from openrlhf_unlearn.store.run_dir import write_table

    write_table(run.evaluation("final"), table.slice(0, len(table) - 7))
    assert analyze(run) == 0
    missing = read_json(run.summary)["report"]["missing"]
    assert any("samples" in item["why"] for item in missing)


# Bad use -----------------------------------------------------------------------------------------------------------


def one_line(capsys, *argv) -> str:
    assert analyze(*argv) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def test_bad_use_is_one_line(tmp_path, run, capsys):
    assert "has no run.json" in one_line(capsys, tmp_path)
    assert "not a folder" in one_line(capsys, tmp_path / "nothing")
    assert "--compare needs at least two" in one_line(capsys, run, "--compare")
    assert "--tau 3" in one_line(capsys, run, "--tau", 3)
    other = full_run(tmp_path / "other", each=3)
    assert "different data" in one_line(capsys, run, other)


def test_watching_shows_each_new_step(tmp_path):
    made = prompts(4)
    run = start(tmp_path / "run", made)
    train(run, made, 1)
    command = [sys.executable, "-m", "openrlhf_unlearn.cli", "analyze", str(run), "--watch", "--every", "1"]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        assert watcher.stdout.readline().startswith("step 1: ")
        assert re.search(r'"live":1\b', page_of(run)) and "Pause refresh" in page_of(run)
        train(run, made, 3)
        line = watcher.stdout.readline()
        while not line.startswith("step 3: "):
            assert line, "the watcher ended"
            line = watcher.stdout.readline()
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(60) == 0
    finally:
        watcher.kill()
