"""Augmentation against a scripted writer and a scripted solver: what is kept is new, right and complete."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import openrlhf_unlearn
from openrlhf_unlearn.cli import main
from openrlhf_unlearn.interventions.augment import Draft, judge_drafts
from openrlhf_unlearn.interventions.endpoint import Endpoint
from openrlhf_unlearn.interventions.mixtures import read_jsonl
from tests.grading.real import bare
from tests.interventions.real import families
from tests.interventions.runs import FRAME, make_run
from tests.interventions.server import Reply, Server

SUM = re.compile(r"What is (\d+) \+ (\d+)\?")


def original(request: dict) -> tuple[int, int]:
    return tuple(map(int, SUM.search(request["messages"][1]["content"]).groups()))


def problem(a: int, b: int, answer: int | None = None) -> dict:
    return {
        "question": f"What is {a} + {b}?",
        "solution": "Add them.",
        "answer": f"${a + b if answer is None else answer}$",
    }


def write(request: dict, n: int) -> Reply:
    a, b = original(request)
    shift = 1000 * ("smaller problems" in request["messages"][0]["content"])
    problems = [problem(a + i + shift, b) for i in range(1, 6)]
    return Reply(json.dumps({"problems": problems}))


def solve(request: dict, n: int) -> Reply:
    a, b = original(request)
    return Reply(rf"Sure. {a} plus {b} is \boxed{{{a + b}}}.")


def augment(run, out: Path, writer: Server, solver: Server, *more: str, kind: str = "similar") -> int:
    ends = ["--model", "w", "--base-url", writer.url, "--check-model", "s", "--check-base-url", solver.url]
    ends += ["--max-answer-tokens", "900", "--check-max-answer-tokens", "100", "--tries", "2"]
    return main(["augment", kind, "--run", str(run), "--output", str(out), *ends, *more])


def test_the_unlearnable_get_five_checked_problems_each_and_the_mixtures(tmp_path, capsys):
    run = make_run(tmp_path)
    with Server(write) as writer, Server(solve) as solver:
        assert augment(run, tmp_path / "a", writer, solver) == 0
        assert augment(run, tmp_path / "a", writer, solver, kind="subproblems") == 0
    told = capsys.readouterr().out
    assert "budget: 21 calls" in told and told.index("budget:") < told.index("15 kept")
    names = ["originals", "similar", "subproblems", "original_similar", "original_subproblems"]
    sizes = [len(read_jsonl(tmp_path / "a" / f"{name}.jsonl")) for name in [*names, "original_similar_subproblems"]]
    assert sizes == [3, 15, 15, 18, 18, 33]
    row = read_jsonl(tmp_path / "a" / "similar.jsonl")[0]
    assert row["prompt"] == "What is 101 + 201?" and row["label"] == "$302$" and row["number"] == 1
    rows = read_jsonl(tmp_path / "a" / "original_similar_subproblems.jsonl")
    assert {tuple(row) for row in rows} == {tuple(rows[0])}  # the same columns, or `datasets` cannot load them
    origins = {row["origin"] for row in read_jsonl(tmp_path / "a" / "originals.jsonl")}
    assert Counter(row["origin"] for row in rows) == dict.fromkeys(origins, 11)


def test_a_template_in_the_data_stays_around_the_new_question(tmp_path):
    run = make_run(tmp_path)
    with Server(write) as writer, Server(solve) as solver:
        ends = {"writer": Endpoint("w", writer.url), "checker": Endpoint("s", solver.url)}
        made = openrlhf_unlearn.augment("similar", str(run), tmp_path / "a", question_key="question", n=2, **ends)
        assert made.problems == {"kept": 6} and made.calls == len(writer.requests) + len(solver.requests)
    rows = read_jsonl(tmp_path / "a" / "similar.jsonl")
    assert len(rows) == 6 and rows[0]["prompt"] == FRAME.format("What is 101 + 201?")


def test_what_cannot_be_used_is_rejected_with_its_reason(tmp_path):
    def clumsy(request: dict, n: int) -> Reply:
        a, b = original(request)
        if a == 100:
            return Reply(refusal="no")
        if a == 104:
            return Reply("{not json at all")
        wrong, again = problem(a + 1, b, answer=7), {**problem(a + 2, b), "question": f"Compute:  ${a + 2} + {b}$"}
        problems = [wrong, problem(a, b), problem(a + 2, b), again, {**problem(a + 3, b), "answer": ""}]
        return Reply("Here you are:\n```json\n" + json.dumps({"problems": problems}) + "\n```")

    def evasive(request: dict, n: int) -> Reply:
        return Reply("Who knows?") if "+ 217" in request["messages"][1]["content"] else solve(request, n)

    run = make_run(tmp_path, 16)
    with Server(clumsy) as writer, Server(evasive) as solver:
        assert augment(run, tmp_path / "a", writer, solver, "--question-key", "question") == 0
    rejected = Counter(row["fate"] for row in read_jsonl(tmp_path / "a" / "rejected_similar.jsonl"))
    assert len(read_jsonl(tmp_path / "a" / "similar.jsonl")) == 1
    assert rejected == {
        "writer_refused": 1,
        "writer_invalid": 1,
        "answers_differ": 1,
        "no_answer": 2,
        "duplicate_of_original": 2,
        "duplicate": 2,
        "empty": 2,
    }


def test_a_spent_budget_keeps_what_it_bought_and_more_of_it_finishes(tmp_path, capsys):
    run = make_run(tmp_path, 24)
    with Server(write) as writer, Server(solve) as solver:
        assert augment(run, tmp_path / "a", writer, solver, "--budget-calls", "14") == 1
        assert "the budget is spent: 14 of 14 calls" in capsys.readouterr().err
        assert len(writer.answered) + len(solver.answered) == 14
        assert augment(run, tmp_path / "a", writer, solver) == 0
    assert len(writer.answered) + len(solver.answered) == 36
    assert len(read_jsonl(tmp_path / "a" / "similar.jsonl")) == 30


def test_a_plan_sends_nothing(tmp_path, capsys):
    run = make_run(tmp_path)
    with Server(write) as writer, Server(solve) as solver:
        assert augment(run, tmp_path / "a", writer, solver, "--plan") == 0
        assert not writer.requests and not solver.requests
    assert "3 prompts, 5 similar each" in capsys.readouterr().out


def test_other_prompts_do_not_mix_into_one_folder(tmp_path, capsys):
    run = make_run(tmp_path)
    with Server(write) as writer, Server(solve) as solver:
        assert augment(run, tmp_path / "a", writer, solver) == 0
        spec = f"{run.learnability}:easy"
        assert augment(run, tmp_path / "a", writer, solver, "--prompts", spec, kind="subproblems") == 1
        assert len(writer.requests) == 3
    assert "holds other prompts" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["similar_problems_learnable", "similar_problems_unlearnable", "subproblems_unlearnable"]
)
def test_real_problems_survive_grading_and_de_duplication(name):
    if not families(name):
        pytest.skip(f"{name}.json is not there: set OPENRLHF_UNLEARN_DATA to the folder of real problems")
    drafts = [
        Draft(
            origin, i, row["question"], str(row["answer"]), row["solution"], rf"So \boxed{{{bare(str(row['answer']))}}}"
        )
        for origin, rows in families(name).items()
        for i, row in enumerate(rows)
    ]
    judge_drafts(drafts, "auto", workers=2)
    kept = sum(draft.fate is None for draft in drafts)
    assert kept >= 0.99 * len(drafts), Counter(draft.fate for draft in drafts)
