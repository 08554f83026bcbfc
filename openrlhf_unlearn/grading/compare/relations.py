"""Relations: with the value that they give a name, and with each other."""

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.algebra.cas import NOT_A_NUMBER, Expression, sympy
from openrlhf_unlearn.grading.classify.shapes import Quantity, Relation, Same, Shape
from openrlhf_unlearn.grading.compare.assigned import assigned, is_named, written_name
from openrlhf_unlearn.grading.compare.inequalities import TURNED
from openrlhf_unlearn.grading.formula.nodes import Nodes


def named(a: Shape, b: Shape, rule: Same) -> str | None:
    r"""x = 5 for 5 and 5 for x = 5; AB = 5 cm; a chain 2^3 = 8 if every side agrees; 2√2 ≈ 2.83."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Relation) and not isinstance(other, Relation) and set(one.ops) <= {"=", "~", "in", "=="}:
            value = assigned(one, rule)
            if value is not None and (inner := rule(value, other) if one is a else rule(other, value)):
                return inner if inner == "approximation" else "name"
            if "~" in one.ops and _approximates(one, other, rule):
                return "approximation"
    return None


def _approximates(relation: Relation, label: Shape, rule: Same) -> bool:
    """2√2 ≈ 2.83 for 2√2 or 2.83: one side is the label, and the others are near it."""
    sides = relation.sides[1:] if is_named(*relation.sides[:2]) else relation.sides
    quantities = [side for side in sides if isinstance(side, Quantity)]
    if len(quantities) < len(sides) or not any(rule(side, label) for side in sides):
        return False
    return len(sides) == 1 or all(algebra.near(x.nodes, y.nodes) for x in quantities for y in quantities)


def equations(a: Shape, b: Shape, rule: Same) -> str | None:
    if not (isinstance(a, Relation) and isinstance(b, Relation)):
        return None
    if set(a.ops) | set(b.ops) <= {"=", "~"}:
        return _two_equations(a, b, rule)
    return "relation" if any(b.ops == one.ops and _side_by_side(one, b, rule) for one in (a, _turned(a))) else None


def _turned(relation: Relation) -> Relation:
    """3 > x for x < 3; a membership or another relation without its opposite is equal to none."""
    return Relation(relation.sides[::-1], tuple(TURNED.get(op, "") for op in reversed(relation.ops)))


def _two_equations(a: Relation, b: Relation, rule: Same) -> str | None:
    value, other = assigned(a, rule), assigned(b, rule)
    if value is not None and other is not None:
        names = {written_name(a.sides[0]), written_name(b.sides[0])}
        if (len(names) == 1 or names == {"y", "f ( x )"}) and rule(value, other):
            return "name"
    if (value is None) != (other is None) and len(algebra.letters(_all_nodes(a) + _all_nodes(b))) == 1:
        return None  # an equation that is not solved, for its solution
    if len(a.sides) == len(b.sides) == 2 and all(isinstance(side, Quantity) for side in (*a.sides, *b.sides)):
        return "equation" if _same_curve(a, b) else None
    return "equation" if _side_by_side(a, b, rule) else None


def _side_by_side(a: Relation, b: Relation, rule: Same) -> bool:
    return len(a.sides) == len(b.sides) and all(rule(x, y) for x, y in zip(a.sides, b.sides, strict=True))


def _all_nodes(relation: Relation) -> Nodes:
    return tuple(node for side in relation.sides if isinstance(side, Quantity) for node in side.nodes)


def _same_curve(a: Relation, b: Relation) -> bool:
    """Two equations of which one is a multiple of the other: x+y=3 and 2x+2y=6; the same sides exchanged."""
    quantities = [side for side in (*a.sides, *b.sides) if isinstance(side, Quantity)]
    sides: list[Expression] = [algebra.expression(side.nodes) for side in quantities]
    if not all(isinstance(side, sympy.Expr) for side in sides) or any(side.unit for side in quantities):
        return False
    try:
        first, second = (sides[0] - sides[1]).doit(), (sides[2] - sides[3]).doit()
        if not first.free_symbols or first.free_symbols != second.free_symbols:
            return False
        numerators = [sympy.fraction(difference.together())[0].expand() for difference in (first, second)]
        if 0 in numerators:
            return False
        ratio = sympy.cancel(numerators[0] / numerators[1])
        return not ratio.free_symbols or not sympy.simplify(ratio).free_symbols
    except NOT_A_NUMBER:
        return False
