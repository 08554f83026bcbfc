"""What grading says of one response, and the answers that need no mathematics to compare."""

import math
import re
from dataclasses import dataclass
from numbers import Number

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


def text_of(value) -> str:
    """A response or label as text; empty for None, NaN and infinity, and what is neither text nor a number."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, Number) and abs(value) < math.inf else ""


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
