"""Whether an answer is its label, and the rule that says so."""

from collections.abc import Callable

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.classify import shape, trimmed
from openrlhf_unlearn.grading.classify.shapes import Many, Quantity, Same, Shape, Words
from openrlhf_unlearn.grading.compare.lists import lists, repeated
from openrlhf_unlearn.grading.compare.matrices import cases, determinant, matrices, vector
from openrlhf_unlearn.grading.compare.quantities import quantities
from openrlhf_unlearn.grading.compare.ratios import based, ratios, remainders, times
from openrlhf_unlearn.grading.compare.relations import equations, named
from openrlhf_unlearn.grading.compare.rows import rows
from openrlhf_unlearn.grading.compare.sets import sets
from openrlhf_unlearn.grading.formula.nodes import Unreadable, writing_of
from openrlhf_unlearn.grading.formula.reader import nodes
from openrlhf_unlearn.grading.worded import same_words

SAME = "same writing"
_COMPARERS: tuple[Callable[[Shape, Shape, Same], str | None], ...] = (
    quantities,
    equations,
    named,
    lists,
    rows,
    sets,
    matrices,
    determinant,
    vector,
    cases,
    remainders,
    based,
    times,
    ratios,
    repeated,
)


def decide(answer: str, label: str) -> str | None:
    """The rule by which the answer is the label; None if none does."""
    try:
        gold = trimmed(nodes(label))
        found = trimmed(nodes(answer))
    except (Unreadable, RecursionError):
        return SAME if answer.split() == label.split() else None
    if not found:
        return None
    if writing_of(found) == writing_of(gold):
        return SAME
    what, wanted = shape(answer), shape(label)
    if _unevaluated(what) and not _unevaluated(wanted):
        return None  # the question said again
    return rule(what, wanted)


def _unevaluated(what: Shape) -> bool:
    return isinstance(what, Quantity | Words) and algebra.unevaluated(what.nodes)


def same(answer: str, label: str) -> bool:
    return decide(answer, label) is not None


def rule(answer: Shape, label: Shape) -> str | None:
    """The rule by which two shapes are the same value."""
    if same_words(answer, label):
        return "words"
    for compare in _COMPARERS:
        if found := compare(answer, label, rule):
            return found
    return None


_KINDS = {
    "Words": "words",
    "Relation": "a relation",
    "Row": "a tuple or interval",
    "Joined": "a set",
    "Builder": "a set",
    "Matrix": "a matrix",
    "Determinant": "a determinant",
    "Cases": "a function by cases",
    "Ratio": "a ratio or time",
    "Clock": "a ratio or time",
    "Based": "a number in a base",
    "Residue": "a remainder",
}


def why_not(answer: str, label: str) -> str:
    """For people: what kinds of answers the two are, where no rule takes one for the other."""
    return f"no rule takes {_kind(answer)} for {_kind(label)}"


def _kind(text: str) -> str:
    try:
        what = shape(text)
    except (Unreadable, RecursionError):
        return "unreadable text"
    if isinstance(what, Many):
        return "a system" if what.kind == "system" else f"{len(what.items)} values"
    if isinstance(what, Quantity):
        plain = "a number" if algebra.number(what.nodes) is not None else "an expression"
        return f"{plain} of unit {what.unit}" if what.unit else plain
    return _KINDS[type(what).__name__]
