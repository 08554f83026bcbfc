"""What grading says of one response, and the answers that need no mathematics to compare."""

import re
from dataclasses import dataclass

from openrlhf_unlearn.grading.extract import boxed_answer, without_end

VERDICTS = ("correct", "wrong", "no_answer", "timeout", "error", "bad_label")
_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")


@dataclass(frozen=True)
class Grade:
    """`verdict` is one of VERDICTS; only `correct` has reward 1. `answer`: what was found, None if nothing."""

    verdict: str
    reward: float
    answer: str | None

    @classmethod
    def of(cls, verdict: str, answer: str | None = None) -> "Grade":
        return cls(verdict, float(verdict == "correct"), answer)


def quick_grade(response: str, label: str) -> Grade | None:
    """The grade where it is plain, two boxed integers or no closed box at all after an open one; None: ask a worker."""
    gold = label.strip()
    if "\\boxed" not in response or not _INTEGER.fullmatch(gold):
        return None
    text = without_end(response)
    if "\\boxed" not in text:  # it is in the thoughts before the answer
        return None
    answer = boxed_answer(text)
    if answer is None:
        return Grade.of("no_answer")
    if _INTEGER.fullmatch(answer):
        return Grade.of("correct" if int(answer) == int(gold) else "wrong", answer)
    return None
