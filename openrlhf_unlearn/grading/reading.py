"""A formula's writing, its words and its number: what tests, `lenient` and the choice of a letter need."""

from functools import lru_cache

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.algebra.cas import NOT_A_NUMBER, sympy
from openrlhf_unlearn.grading.classify import shape, trimmed
from openrlhf_unlearn.grading.classify.shapes import Quantity, Relation
from openrlhf_unlearn.grading.formula.nodes import Unreadable, writing_of
from openrlhf_unlearn.grading.formula.reader import nodes
from openrlhf_unlearn.grading.worded import spoken


def writing(text: str) -> str:
    """The text without what only lays it out: equal writings are equal answers. "1 1/2" is not "11/2"."""
    try:
        return writing_of(trimmed(nodes(text)))
    except (Unreadable, RecursionError):
        return " ".join(text.split())


def words(text: str) -> str:
    r"""Letters and digits, in lower case, of words, \text{…} too; empty if there is anything to calculate."""
    try:
        said = spoken(shape(text)) or _digits(text)
    except (Unreadable, RecursionError):
        return ""
    return "".join(char for char in said.casefold() if char.isalnum())


def _digits(text: str) -> str:
    found = trimmed(nodes(text))
    kinds = {node.kind for node in found}
    return "".join(n.text for n in found) if "word" in kinds and kinds <= {"word", "num", "let", "conj", "mark"} else ""


@lru_cache(maxsize=1024)
def value(text: str) -> complex | None:
    """The number that a text is, percent counted as hundredths; None if it is none."""
    try:
        what = shape(text)
    except (Unreadable, RecursionError):
        return None
    if isinstance(what, Relation):
        what = what.sides[-1]
    if not isinstance(what, Quantity):
        return None
    expression = algebra.expression(what.nodes)
    try:
        number = complex(algebra.imaginary(expression)) if isinstance(expression, sympy.Basic) else None
    except NOT_A_NUMBER:
        return None
    return number / 100 if number is not None and what.unit == "%" else number
