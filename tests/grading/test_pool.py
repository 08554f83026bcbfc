import asyncio
import os
import time

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading import MathGrader, check_labels
from openrlhf_unlearn.grading.extract import boxed_answer as last_boxed
from openrlhf_unlearn.grading.grade import Grade, quick_grade


@pytest.fixture(scope="module")
def grader():
    with MathGrader(workers=2, timeout_s=3.0) as grader:
        yield grader


@pytest.mark.parametrize(
    ("response", "label", "verdict"),
    [
        (r"so \boxed{12}<eos>", "12", "correct"),
        (r"\boxed{13}", "12", "wrong"),
        (r"\boxed{\frac{1}{2}}", "0.5", "correct"),
        (r"\boxed{9/7}", r"\dfrac{9}{7}", "correct"),  # a bare LaTeX label
        (r"\boxed{\frac{\sqrt{3}}{2}}", r"\frac{\sqrt{3}}{2}", "correct"),
        ("The answer is $7$.", "7", "correct"),
        ("I do not know", "7", "no_answer"),
        (r"cut off \boxed{12", "12", "no_answer"),
        (r"\boxed{5}", "", "bad_label"),
        (r"first \boxed{3}, then \boxed{4}", "4", "correct"),
    ],
)
def test_verdicts(grader, response, label, verdict):
    grade = grader.grade([response], [label])[0]
    assert grade.verdict == verdict
    assert grade.reward == float(verdict == "correct")


def test_a_power_tower_is_a_time_out_and_what_waits_behind_it_is_graded(grader):
    bomb = r"\boxed{9^{9^{9^9}}}"
    fair = r"\boxed{\frac{2}{4}}"
    grades = grader.grade([bomb, bomb, *[fair] * 6], ["5", "5", *["1/2"] * 6])
    assert [grade.verdict for grade in grades] == ["timeout"] * 2 + ["correct"] * 6


def test_from_asyncio_the_same_in_order(grader):
    responses = [rf"\boxed{{\frac{{{n}}}{{3}}}}" for n in range(1, 9)]
    labels = [f"{n}/3" for n in range(1, 9)]
    assert asyncio.run(grader.agrade(responses, labels)) == grader.grade(responses, labels)


def test_closing_ends_every_process():
    grader = MathGrader(workers=2)
    grader.grade([r"\boxed{\frac12}"] * 4, ["1/2"] * 4)
    pids = [worker._process.pid for worker in grader._workers if worker._process]
    assert pids
    grader.close()
    for pid in pids:
        deadline = time.monotonic() + 5
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not os.path.exists(f"/proc/{pid}")


def test_labels_that_cannot_be_graded_are_found_by_row():
    assert check_labels(["1", r"\frac12", "", "x^2", "   "]) == [2, 4]


def test_an_unknown_format_lists_the_known():
    with pytest.raises(UserError, match="auto, boxed"):
        MathGrader(answer_format="bxed")


def test_the_last_boxed_answer_has_balanced_braces():
    assert last_boxed(r"\boxed{a} so \boxed{\frac{1}{2}} tail") == r"\frac{1}{2}"
    assert last_boxed("none") is None
    assert quick_grade(r"\boxed{007}", "7") == Grade("correct", 1.0, "007")
    assert quick_grade(r"\boxed{x}", "7") is None
