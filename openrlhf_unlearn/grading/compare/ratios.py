"""Ratios, times, remainders and digits in a base."""

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.classify.shapes import Based, Clock, Quantity, Ratio, Residue, Same, Shape
from openrlhf_unlearn.grading.formula.nodes import Node, writing_of


def ratios(a: Shape, b: Shape, rule: Same) -> str | None:
    """3:4 and 6:8; 3:4 and 3/4."""
    if isinstance(a, Ratio) and isinstance(b, Ratio):
        return "ratio" if _same_ratio(a, b) else None
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Ratio) and isinstance(other, Quantity) and len(one.parts) == 2:
            parts = tuple(part.nodes for part in one.parts if isinstance(part, Quantity))
            if len(parts) == 2 and algebra.equal((Node("frac", "frac", parts),), other.nodes):
                return "ratio"
    return None


def _same_ratio(a: Ratio, b: Ratio) -> bool:
    x = [part.nodes for part in a.parts if isinstance(part, Quantity)]
    y = [part.nodes for part in b.parts if isinstance(part, Quantity)]
    if len(a.parts) != len(b.parts) or len(x) < len(a.parts) or len(y) < len(b.parts):
        return False
    numbers, others = list(map(algebra.number, x)), list(map(algebra.number, y))
    if None in numbers or None in others:
        return all(map(algebra.equal, x, y))
    first, second = numbers[0] or 0, others[0] or 0
    return any(numbers) and all((p or 0) * second == (q or 0) * first for p, q in zip(numbers, others, strict=True))


def times(a: Shape, b: Shape, rule: Same) -> str | None:
    """The same hour and minute; 15:05 is 3:05 pm, and a half of the day that only one side names is not compared."""
    if not (isinstance(a, Clock) and isinstance(b, Clock)):
        return None
    known = _of_the_day(a), _of_the_day(b)
    same = known[0] == known[1] if None not in known else a.parts == b.parts
    return "time" if same else None


def _of_the_day(clock: Clock) -> tuple[int, ...] | None:
    """The time with its hour from 0 to 23; None where it may be of either half."""
    hour, *rest = clock.parts
    if clock.half and 1 <= hour <= 12:
        return (hour % 12 + 12 * (clock.half == "pm"), *rest)
    return clock.parts if hour == 0 or hour > 12 else None


def remainders(a: Shape, b: Shape, rule: Same) -> str | None:
    if not (isinstance(a, Residue) and isinstance(b, Residue)):
        return None
    return "remainder" if rule(a.value, b.value) and rule(a.modulus, b.modulus) else None


def based(a: Shape, b: Shape, rule: Same) -> str | None:
    """The same digits in the same base, which the answer may leave out."""
    if not isinstance(b, Based):
        return None
    bare = isinstance(a, Quantity) and not a.unit and writing_of(a.nodes) == b.digits
    return "base" if a == b or bare else None
