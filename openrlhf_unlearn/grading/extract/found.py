"""An answer, and where it was found."""

from dataclasses import dataclass

MAX_ANSWER = 2_000


@dataclass(frozen=True)
class Found:
    """An answer and the rule that found it: box, answer tag, anchor, last formula, bold, short."""

    answer: str
    rule: str
