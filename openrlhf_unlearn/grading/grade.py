"""What grading says of one response, and the answers that need no mathematics to compare."""

import re
from dataclasses import dataclass

_INTEGER = re.compile(r"[+-]?\d{1,15}")


@dataclass(frozen=True)
class Grade:
    """`verdict` is one of run_dir.VERDICTS; only `correct` has reward 1. `answer`: what was found, None if nothing."""

    verdict: str
    reward: float
    answer: str | None

    @classmethod
    def of(cls, verdict: str, answer: str | None = None) -> "Grade":
        return cls(verdict, float(verdict == "correct"), answer)


def last_boxed(text: str) -> str | None:
    r"""The content of the last \boxed{…} with balanced braces; None if there is none."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for i in range(start + len("\\boxed"), len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[start + len("\\boxed{") : i].strip()
    return None


def quick_grade(response: str, label: str) -> Grade | None:
    """The grade where it is plain: both are the same short text, or both are integers. None: ask mathematics."""
    answer, gold = last_boxed(response), label.strip()
    if answer is None or not gold or len(answer) > 100:
        return None
    if _INTEGER.fullmatch(answer) and _INTEGER.fullmatch(gold):
        return Grade.of("correct" if int(answer) == int(gold) else "wrong", answer)
    return None
