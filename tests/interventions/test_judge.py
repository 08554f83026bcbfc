"""Judging against a scripted judge, and human sheets out and in."""

import csv
import json
import re

import numpy as np
import pytest

from openrlhf_unlearn.cli import main
from openrlhf_unlearn.stats.agreement import krippendorff_alpha
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import read_json, read_table
from tests.interventions.runs import GROUPS, make_run
from tests.interventions.server import Reply, Server

NAN = np.nan
# Twelve units, four observers: the worked example of Krippendorff (2011), with his values.
EXAMPLE = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T


def test_alpha_is_that_of_the_worked_example():
    assert krippendorff_alpha(EXAMPLE) == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(EXAMPLE, ordinal=False) == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_agreement_chance_and_nothing():
    assert krippendorff_alpha(np.array([[1, 1], [4, 4], [2, 2]])) == 1
    coins = np.random.default_rng(0).integers(0, 6, (4000, 2))
    assert abs(krippendorff_alpha(coins)) < 0.05
    assert krippendorff_alpha(np.array([[3, 3], [3, 3]])) is None  # no variation: nothing to tell agreement by
    assert krippendorff_alpha(np.array([[3, NAN]])) is None


def number(request: dict) -> int:
    return int(re.search(r"What is (\d+)", request["messages"][1]["content"])[1])


def judge(request: dict, n: int) -> Reply:
    """The group of a prompt is by its number (runs.py): 1 for the unlearnable, 4 for the learnable, 5 for the easy."""
    score = {"unlearnable": 1, "learnable": 4, "easy": 5}[GROUPS[(number(request) - 100) % len(GROUPS)]]
    return Reply(json.dumps({"findings": "none", "score": score}))


def ask(run, server: Server, *more: str) -> int:
    return main(["judge", str(run), "--model", "m", "--base-url", server.url, "--max-answer-tokens", "99", *more])


def test_scores_by_group_blind_and_resumable(tmp_path, capsys):
    run = make_run(tmp_path, 24)
    with Server(judge) as server:
        assert ask(run, server, "--tag", "initial", "final") == 0
        assert len(server.requests) == 2 * 18 * 3
        assert ask(run, server, "--tag", "initial", "final") == 0
        assert len(server.requests) == 2 * 18 * 3
    rows = read_table(run.judgements("final")).to_pylist()
    assert len(rows) == 18 * 3 and {row["judgement"] for row in rows} == {0, 1, 2}
    groups = read_json(run.judgements_json("final"))["raters"]["m"]["groups"]
    assert {name: said["mean"] for name, said in groups.items()} == {"easy": 5, "learnable": 4, "unlearnable": 1}
    assert all(said["low"] is said["high"] is None for said in groups.values()), "equal means have no interval"
    assert groups["easy"]["prompts"] == 6 and read_json(run.judgements_json("final"))["raters"]["m"]["alpha"] == 1
    sent = json.dumps([request["messages"] for request in server.requests])
    assert not any(word in sent for word in (*GROUPS, "initial", "evaluation", "checkpoint"))
    order = [GROUPS[(number(request) - 100) % 4] for request in server.requests]
    assert order != sorted(order)
    assert "unlearnable" in capsys.readouterr().out


def test_only_correct_responses_are_judged_as_many_as_asked(tmp_path):
    run = make_run(tmp_path, 24)
    with Server(judge) as server:
        assert ask(run, server, "--per-group", "4", "--per-prompt", "2", "--judgements", "1", "--groups", "easy") == 0
    rows = read_table(run.judgements("initial")).to_pylist()
    assert len(rows) == 8 and {row["sample"] for row in rows} == {0, 2}


def test_a_prompt_without_its_text_cannot_be_judged(tmp_path, capsys):
    run = make_run(tmp_path)
    prompts = Prompts.read(run)
    prompts.replacing(prompt=[None] * len(prompts)).write(run)
    with Server(judge) as server:
        assert ask(run, server) == 1
    assert "prompts.parquet has no text of prompt " in capsys.readouterr().err


def test_unusable_judgements_are_counted_not_made_up(tmp_path, capsys):
    def moody(request: dict, n: int) -> Reply:
        return Reply('{"findings": "x", "score": 9}') if number(request) == 100 else judge(request, n)

    run = make_run(tmp_path)
    with Server(moody) as server:
        assert ask(run, server, "--judgements", "2") == 0
    assert "2 of 18 judgements are missing" in capsys.readouterr().out
    assert len(read_table(run.judgements("initial"))) == 16


def test_a_human_sheet_goes_out_blind_and_comes_back(tmp_path, capsys):
    run = make_run(tmp_path, 24)
    sheet = tmp_path / "sheet.csv"
    with Server(judge) as server:
        assert ask(run, server, "--judgements", "2") == 0
        asked = len(server.requests)
        assert main(["judge", str(run), "--csv-out", str(sheet)]) == 0
        assert len(server.requests) == asked
    rows = list(csv.DictReader(sheet.open(newline="")))
    assert set(rows[0]) == {"item", "problem", "solution", "score", "remark"} and len(rows) == 18
    for row in rows:
        unlearnable = (int(re.search(r"What is (\d+)", row["problem"])[1]) - 100) % 4 == 0
        row["score"] = "2" if unlearnable else "5"
    rows[0]["score"] = ""
    with sheet.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert main(["judge", str(run), "--csv-in", str(sheet), "--rater", "ada"]) == 0
    summary = read_json(run.judgements_json("initial"))
    assert summary["raters"]["human:ada"]["rollouts"] == 17
    (pair,) = summary["between"]
    assert pair["raters"] == ["human:ada", "m"] and pair["rollouts"] == 17 and pair["within_one_point"] == 1
    assert 0.5 < pair["alpha"] < 1
    assert "human:ada and m: alpha" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, complaint", [("score,7", "'7' is not a whole number"), ("item,zz", "'zz' is no correct")]
)
def test_a_wrong_sheet_is_refused_by_its_line(tmp_path, capsys, change, complaint):
    run, sheet = make_run(tmp_path), tmp_path / "sheet.csv"
    assert main(["judge", str(run), "--csv-out", str(sheet)]) == 0
    rows = list(csv.DictReader(sheet.open(newline="")))
    column, value = change.split(",")
    rows[1] = {**rows[1], "score": "3", column: value}
    with sheet.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert main(["judge", str(run), "--csv-in", str(sheet), "--rater", "ada"]) == 1
    assert complaint in capsys.readouterr().err
    assert not run.judgements("initial").exists()


def test_an_empty_sheet_and_a_nameless_rater_are_refused(tmp_path, capsys):
    run, sheet = make_run(tmp_path), tmp_path / "sheet.csv"
    for _ in range(2):  # nobody has written into it
        assert main(["judge", str(run), "--csv-out", str(sheet)]) == 0
    assert main(["judge", str(run), "--csv-in", str(sheet)]) == 2
    assert main(["judge", str(run), "--csv-in", str(sheet), "--rater", "ada"]) == 1
    assert "holds no score" in capsys.readouterr().err
