"""Odd data: what is no number, twins, very long prompts, one step and many, no fonts."""

import csv
import json

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import read_json, read_table, write_table
from openrlhf_unlearn.store.training import Rewards
from tests.report.worlds import Prompt, classify, full_run, probe, prompts, start, train
from tests.tables import of_dicts

NOT_FINITE = (float("nan"), float("inf"), float("-inf"))


def report_of(run) -> dict:
    assert cli.main(["analyze", str(run), "--offline", "--figure-files"]) == 0
    return read_json(run.summary)["report"]


def change(path, column: str, values) -> None:
    """Write the first values of a column anew."""
    table = read_table(path)
    place = table.column_names.index(column)
    new = [*values, *table.column(column).to_pylist()[len(values) :]]
    write_table(path, table.set_column(place, column, pa.array(new, table.schema.field(column).type)))


def test_what_is_no_number_is_left_out_of_means_and_shown_as_nothing(tmp_path, capsys):
    made = prompts(6)
    run = full_run(tmp_path / "run", made=made)
    probe(run, made, "initial")
    for step in run.steps("rewards"):
        change(run.step_file("rewards", step), "mean_reward", NOT_FINITE)
    for step in run.steps("clipping"):
        change(run.step_file("clipping", step), "positive_clip_fraction", NOT_FINITE)
    change(run.step_file("rollouts", 6), "reward", NOT_FINITE)
    change(run.evaluation("initial"), "reward", NOT_FINITE)
    change(run.probe_table("similarity", "initial"), "mean_cosine", NOT_FINITE)
    report = report_of(run)
    assert "NaN" not in run.summary.read_text() and "Infinity" not in run.summary.read_text()
    assert [visit[4] for visit in report["prompt_table"]["curve"][0]] == [None] * 6
    assert all(np.isfinite(report["figures"]["reward_by_group"]["data"]["pass_rate"]))
    with (run.report.parent / "prompts.csv").open() as lines:
        assert not {"nan", "inf", "-inf"} & {value for row in csv.reader(lines) for value in row}
    out = capsys.readouterr().out
    assert " nan" not in out and " inf" not in out


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_shown(tmp_path):
    made = prompts(6)
    run = full_run(tmp_path / "run", made=made)
    probe(run, made, "initial")
    run.gradients("initial").write_bytes(b"cut off")
    report = report_of(run)
    missing = {item["what"]: item["why"] for item in report["missing"]}
    assert str(run.gradients("initial")) in missing["Similarity prompt by prompt"]
    assert "similarity" in report["figures"] and "similarity_prompts" not in report["figures"]


def test_prompts_with_the_same_text_are_told_by_their_labels(tmp_path):
    made = [Prompt("What is it?", label, kind) for label, kind in (("1", "learnable"), ("2", "unlearnable"))]
    report = report_of(full_run(tmp_path / "run", made=made))
    assert report["groups"]["learnable"]["prompts"] == report["groups"]["unlearnable"]["prompts"] == 1


def test_a_very_long_prompt_is_cut_in_the_table_and_whole_when_opened(tmp_path):
    from tests.report.test_page import details, unpacked

    long = "word " * 4000
    run = full_run(tmp_path / "run", made=[Prompt(long, "1", "unlearnable"), Prompt("", "2", "learnable")])
    report_of(run)
    html = run.report.read_text()
    shown = unpacked(html, "table-data")
    assert len(shown["text"][0]) + shown["cut"][0] == len(long) and shown["cut"][0] > 0
    assert details(html)[0]["text"] == long


@pytest.mark.parametrize("steps", [1, 2])
def test_few_steps(tmp_path, steps):
    run = start(tmp_path / "run", made := prompts(3))
    train(run, made, steps)
    report = report_of(run)
    assert report["training"]["steps"] == steps and "reward_by_group" in report["figures"]


def test_many_steps_make_curves_of_few_points(tmp_path):
    run = start(tmp_path / "run", made := prompts(5))
    train(run, made, 1)
    row = read_table(run.step_file("rewards", 1)).to_pylist()[0]
    for step in range(2, 301):
        rows = [{**row, "prompt_id": made[step % len(made)].id, "step": step}]
        of_dicts(Rewards, rows).write(run, step)
    report = report_of(run)
    assert report["training"]["steps"] == 300
    assert len(report["figures"]["reward_by_group"]["data"]["step"]) <= 40 * len(report["groups"])


def test_without_a_font(tmp_path, monkeypatch):
    import matplotlib.font_manager as fonts

    monkeypatch.setattr(fonts.fontManager, "ttflist", [])
    report = report_of(full_run(tmp_path / "run", made=prompts(2)))
    assert "reward_by_group" in report["figures"]


def test_a_report_made_again_says_the_same(tmp_path):
    run = full_run(tmp_path / "run", made=prompts(3))
    classify(run)
    first, second = report_of(run), report_of(run)
    for name in ("groups", "answer", "figures", "prompt_table", "advice"):
        assert json.dumps(first[name]) == json.dumps(second[name]), name
