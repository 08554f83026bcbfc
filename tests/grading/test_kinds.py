"""Kinds of answers that people report as graded wrong: our own examples, and a corpus beside the checkout, if any.

OPENRLHF_UNLEARN_CASES names the folder of the corpus, grading.jsonl: {response, label, expected, debatable}.
"""

import json
import os
from pathlib import Path

import pytest

from tests.grading.kinds import BOXED, RESPONSES

CASES = Path(os.environ.get("OPENRLHF_UNLEARN_CASES", Path(__file__).parents[3] / "shared" / "cases")) / "grading.jsonl"


def graded_otherwise(grader, cases) -> list:
    """(response, label, verdict, reason) of those whose being correct is not as wanted."""
    grades = grader.grade([response for response, *_ in cases], [label for _, label, *_ in cases])
    return [
        (response, label, grade.verdict, grade.reason)
        for (response, label, right), grade in zip(cases, grades, strict=True)
        if (grade.verdict == "correct") != right
    ]


def test_boxed_answers_of_every_kind(grader):
    assert graded_otherwise(grader, [(rf"\boxed{{{answer}}}", label, right) for answer, label, right in BOXED]) == []


def test_whole_responses_of_every_kind(grader):
    assert graded_otherwise(grader, RESPONSES) == []


@pytest.mark.skipif(not CASES.exists(), reason=f"no {CASES}; set OPENRLHF_UNLEARN_CASES")
def test_the_corpus_of_reports(grader):
    rows = [row for row in map(json.loads, CASES.read_text(encoding="utf-8").splitlines()) if not row["debatable"]]
    cases = [(row["response"], row["label"], row["expected"] == "correct") for row in rows]
    failed = graded_otherwise(grader, cases)
    wrong = [case for case in failed if case[2] == "correct"]
    assert len(wrong) <= 0.02 * sum(not right for *_, right in cases), wrong
    assert len(failed) - len(wrong) <= 0.05 * sum(right for *_, right in cases), failed
    exact = [row for row in rows if row["expected"] not in ("correct", "not")]
    grades = grader.grade([row["response"] for row in exact], [row["label"] for row in exact])
    assert [g.verdict for g in grades] == [row["expected"] for row in exact]
