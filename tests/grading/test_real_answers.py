"""Verdicts on real answers; `python benchmarks/grading.py --verdicts` judges all of them and prints the failures."""

import random

import pytest

from openrlhf_unlearn.grading import check_labels
from tests.grading.real import FOLDER, WRITINGS, answers, bare, different

pytestmark = pytest.mark.skipif(not answers(), reason=f"no real problems in {FOLDER}; set OPENRLHF_UNLEARN_DATA")


def test_an_answer_equals_itself_in_five_writings(grader):
    sample = random.Random(0).sample(answers(), 40)
    pairs = [(write(answer), answer) for write in WRITINGS.values() for answer in sample]
    grades = grader.grade(*zip(*pairs, strict=True))
    failed = [(pair, grade) for pair, grade in zip(pairs, grades, strict=True) if grade.verdict != "correct"]
    assert len(failed) <= 0.02 * len(pairs), failed


def test_different_answers_are_wrong(grader):
    pairs = different(random.Random(1).sample(answers(), 60), 60)
    grades = grader.grade([rf"\boxed{{{bare(answer)}}}" for answer, _ in pairs], [label for _, label in pairs])
    assert [pair for pair, grade in zip(pairs, grades, strict=True) if grade.verdict == "correct"] == []


def test_next_to_all_labels_can_be_graded():
    sample = random.Random(2).sample(answers(), 50)
    assert len(check_labels(sample)) <= 1
