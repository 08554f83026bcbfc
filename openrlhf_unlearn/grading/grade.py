"""What grading says of one response, and the answers that need no mathematics to compare."""

import math
import re
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

from openrlhf_unlearn.grading.extract import boxed_answer, said
from openrlhf_unlearn.store.verdicts import VERDICTS as VERDICTS

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")


@dataclass(frozen=True)
class Grade:
    """`verdict` is one of VERDICTS; only `correct` has reward 1. `answer`: what was found, None if nothing.

    reason: how it was found and the rule that decided, for people to read: "box; same writing".
    """

    verdict: str
    reward: float
    answer: str | None
    reason: str = field(default="", compare=False)

    @classmethod
    def of(cls, verdict: str, answer: str | None = None, reason: str = "") -> "Grade":
        return cls(verdict, float(verdict == "correct"), answer, reason)


def text_of(value: Any) -> str:
    """A response or label as text; empty for None, NaN and infinity, and what is neither text nor a number."""
    if isinstance(value, str):
        return value
    number: Any = value if isinstance(value, Number) else math.inf
    return str(value) if abs(number) < math.inf else ""


def quick_grade(response: str, label: str) -> Grade | None:
    """The grade where it is plain, two boxed integers or no closed box at all after an open one; None: ask a worker."""
    gold = label.strip()
    if "\\boxed" not in response or not _INTEGER.fullmatch(gold):
        return None
    text = said(response)
    if "\\boxed" not in text:  # it is in the thoughts before the answer
        return None
    answer = boxed_answer(text)
    if answer is None:
        return Grade.of("no_answer", None, "the last box is empty or open")
    if _INTEGER.fullmatch(answer):
        if int(answer) == int(gold):
            return Grade.of("correct", answer, "box; number")
        return Grade.of("wrong", answer, "box; another number")
    return None
