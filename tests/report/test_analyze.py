import csv
import json
import re

import numpy as np
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.report.curves import smoothed
from openrlhf_unlearn.run_dir import RunDir, read_table
from openrlhf_unlearn.training.tracker import Sampled, Tracker
from tests.learnability.runs import make_run


@pytest.fixture
def run(tmp_path):
    """Four prompts, one of each group: easy, learnable, unlearnable, no reward."""
    made = make_run(tmp_path / "run", initial=[16, 0, 0, 0], final=[30, 20, 0, 0], ever=[4, 1, 1, 0])
    names = read_table(made.prompts)["prompt_id"].to_pylist()
    tracker = Tracker(made)
    for step in (1, 2):
        for name, reward in zip(names, (1.0, float(step == 2), 0.0, 0.0), strict=True):
            first = 1.0 if name == names[2] and step == 1 else reward
            tracker.observe(
                Sampled(name, [first, reward], ["correct" if r else "wrong" for r in (first, reward)]), True, "accepted"
            )
        tracker.finish_step(step)
    return made


def test_the_page_says_what_the_summary_says(run, capsys):
    assert cli.main(["analyze", str(run.path), "--no-evaluate"]) == 0
    shown = capsys.readouterr().out
    assert str(run.report) in shown
    report = json.loads(run.summary.read_text())["report"]
    assert {row["group"]: row["prompts"] for row in report["groups"]} == {
        "easy": 1, "learnable": 1, "unlearnable": 1, "no_reward": 1
    }  # fmt: skip
    html = run.report.read_text()
    for row in report["groups"]:
        assert f"{row['initial_pass_rate']:.3f}" in html and f"{row['final_pass_rate']:.3f}" in html
    assert html.count("<svg") == 1
    assert not re.search(r"(src|href)=.?https?://", html)
    for suffix in ("png", "svg", "pdf"):
        assert (run.report.parent / f"reward_by_group.{suffix}").stat().st_size > 0
    with (run.report.parent / "reward_by_group.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    means = {(row["group"], int(row["step"])): float(row["mean_reward"]) for row in rows}
    assert means["learnable", 1] == 0.0 and means["learnable", 2] == 1.0 and means["unlearnable", 1] == 0.5


def test_names_of_models_and_data_are_text_not_markup(run):
    config = run.config()
    run.run_json.write_text(json.dumps({**config, "data": "<script>alert(1)</script>"}))
    assert cli.main(["analyze", str(run.path), "--no-evaluate"]) == 0
    assert "<script>" not in run.report.read_text()


def test_markdown_and_json_for_machines(run, capsys):
    assert cli.main(["analyze", str(run.path), "--no-evaluate", "--format", "md"]) == 0
    assert "| Unlearnable | 1 |" in capsys.readouterr().out
    assert cli.main(["analyze", str(run.path), "--no-evaluate", "--format", "json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{\n") :])["report"]["hard"] == 3


def test_a_missing_evaluation_is_named_with_its_command(run, capsys):
    run.evaluation("final").unlink()
    assert cli.main(["analyze", str(run.path), "--no-evaluate"]) == 1
    assert "openrlhf-unlearn evaluate --model" in capsys.readouterr().err
    assert not run.report.exists()


def test_a_folder_that_is_no_run_is_one_line(tmp_path, capsys):
    assert cli.main(["analyze", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not RunDir(tmp_path).report.exists()


def test_smoothing_keeps_a_constant_and_the_length():
    assert np.allclose(smoothed(np.full(7, 0.3), 3), 0.3)
    assert np.allclose(smoothed(np.array([0.0, 3.0, 0.0]), 3), [1.5, 1.0, 1.5])
