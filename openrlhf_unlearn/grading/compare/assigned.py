"""What a name is said to be: x = 5, m + n = 5, 2^3 = 8."""

from collections.abc import Iterable

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.classify.shapes import (
    Joined,
    Many,
    Matrix,
    Quantity,
    Ratio,
    Relation,
    Residue,
    Row,
    Same,
    Shape,
    Words,
)
from openrlhf_unlearn.grading.classify.trim import ADVERSE
from openrlhf_unlearn.grading.formula.nodes import writing_of


def assigned(relation: Relation, rule: Same) -> Shape | None:
    """What a name is said to be: its last side, if the first names something and the sides between agree."""
    (first, *rest), ops = relation.sides, relation.ops
    if "==" in ops and not isinstance(rest[-1], Residue):
        return None
    if "in" in ops:
        a_name = len(rest) == 1 and isinstance(first, Quantity) and algebra.is_name(first.nodes)
        return rest[0] if a_name and not _is_number_set(rest[0]) else None
    if not is_named(first, rest[0]):
        if ops[0] == "~" or "=" not in ops or not isinstance(first, Quantity):
            return None
        rest = [first, *rest]
    if "~" in ops[1:] or len(rest) > 1 and "~" in ops:
        return None
    return rest[-1] if all(rule(side, rest[-1]) for side in rest[:-1]) else None


def _is_number_set(what: Shape) -> bool:
    """Whether it is ℤ, ℚ …; x ∈ ℝ is no such thing to be told apart."""
    if not isinstance(what, Quantity) or len(what.nodes) != 1:
        return False
    node = what.nodes[0]
    return node.kind == "sym" and node.text == "bb" and writing_of(node.args[0]) != "R"


def is_named(first: Shape, value: Shape) -> bool:
    """x, P(A), |AB|, or a combination of several names such as m+n; x^2+y^2 is a curve's, x^2 or x+3 an equation's."""
    if isinstance(first, Words):
        said = {node.text.casefold() for node in first.nodes if node.kind == "word"}
        return said.isdisjoint(ADVERSE) and algebra.is_name(first.nodes)
    if isinstance(value, Matrix) and isinstance(first, Quantity) and _matrices(first):
        return True
    if isinstance(first, Joined | Ratio):
        return all(isinstance(part, Quantity) and algebra.is_name(part.nodes) for part in first.parts)
    if isinstance(first, Row):
        names = all(isinstance(item, Quantity) and algebra.is_name(item.nodes) for item in first.items)
        return names and first.brackets == "()"  # (x, y] names no point
    if not isinstance(first, Quantity) or first.unit:
        return False
    letters: set[str] = algebra.letters(value.nodes) if isinstance(value, Quantity) else set()
    if algebra.is_name(first.nodes):
        return not (len(first.nodes) == 1 and first.nodes[0].text in letters)  # x = x + 1
    inside = algebra.names(first.nodes) - {"e"}
    several = len(inside) > 1 and not {"x", "y"} <= inside or bool(inside) and inside <= {"f", "g", "h"}  # f(1) + f(2)
    return isinstance(value, Quantity) and not letters and several


def _matrices(what: Quantity) -> bool:
    """A^T, 2A + B: capital letters only."""
    letters = algebra.letters(what.nodes)
    return bool(letters) and all(map(str.isupper, letters))


def assignments(items: Iterable[Shape], rule: Same) -> list[tuple[str, Shape]] | None:
    """The names and values of x=1, y=2; None if an item assigns nothing."""
    found: list[tuple[str, Shape]] = []
    for item in items:
        if not isinstance(item, Relation) or set(item.ops) - {"="} or (value := assigned(item, rule)) is None:
            return None
        found.append((written_name(item.sides[0]), value))
    return found


def written_name(what: Shape) -> str:
    if isinstance(what, Quantity | Words):
        return writing_of(what.nodes)
    return " , ".join(map(written_name, what.items)) if isinstance(what, Row | Many) else repr(what)
