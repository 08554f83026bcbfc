"""Inequalities and memberships as the set of real numbers that they leave a name."""

from collections.abc import Callable
from typing import TypeAlias

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.algebra.cas import Expression, sympy
from openrlhf_unlearn.grading.classify.shapes import Quantity, Relation, Shape
from openrlhf_unlearn.grading.formula.nodes import Nodes, writing_of

Named: TypeAlias = tuple[Expression, "str | None"]  # a set, None for what is none, and its variable's name
NONE: Named = (None, None)
TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def real_number(what: Shape) -> Expression:
    """Its value, ±∞ too; None for what is no real number."""
    if not isinstance(what, Quantity) or what.unit:
        return None
    found = algebra.expression(what.nodes)
    real = isinstance(found, sympy.Expr) and found.is_number and found.is_extended_real
    return found.doit() if real else None


def solved(relation: Relation, set_of: Callable[[Shape], Named]) -> Named:
    """x > 3, 0 < x ≤ 1, x ≠ 2, x ∈ (0,1): solved for one name on its own."""
    sides, ops = relation.sides, relation.ops
    names = [(i, side.nodes) for i, side in enumerate(sides) if isinstance(side, Quantity) and _is_variable(side)]
    if len(names) != 1 or names[0][1][0].kind == "bar":
        return _absolute(relation)
    at, name = names[0][0], writing_of(names[0][1])
    if ops in (("in",), ("notin",)) and at == 0:
        of = set_of(sides[1])[0]
        return (of if ops == ("in",) or of is None else sympy.Complement(sympy.S.Reals, of)), name
    if ops == ("!=",):
        value = real_number(sides[1 - at])
        return (None if value is None else sympy.Complement(sympy.S.Reals, sympy.FiniteSet(value))), name
    if not set(ops) <= set(TURNED) or len(sides) > 3 or len(sides) == 3 and at != 1:
        return NONE
    result = sympy.S.Reals
    for i, op in enumerate(ops):
        turned = at == i + 1
        bound = real_number(sides[i] if turned else sides[i + 1])
        if bound is None:
            return NONE
        result = sympy.Intersection(result, _ray(TURNED[op] if turned else op, bound))
    return result, name


def _is_variable(side: Quantity) -> bool:
    return algebra.is_name(side.nodes) and not side.unit and algebra.letters(side.nodes) != {"e"}


def _ray(op: str, bound: Expression) -> Expression:
    if op in ("<", "<="):
        return sympy.Interval(-sympy.oo, bound, True, op == "<")
    return sympy.Interval(bound, sympy.oo, op == ">", True)


def _absolute(relation: Relation) -> Named:
    """|x - 1| < 2 as -1 < x < 3."""
    if len(relation.ops) != 1 or relation.ops[0] not in TURNED:
        return NONE
    (left, right), op = relation.sides, relation.ops[0]
    if real_number(left) is not None:
        left, right, op = right, left, TURNED[op]
    bound, inside = real_number(right), _between_bars(left)
    if inside is None or bound is None or bound <= 0:
        return NONE
    free = list(inside.free_symbols) if isinstance(inside, sympy.Expr) else []
    if len(free) != 1 or inside.diff(free[0]).free_symbols or not inside.diff(free[0]).is_real:
        return NONE
    low, high = sorted((sign * bound - inside.subs(free[0], 0)) / inside.diff(free[0]) for sign in (1, -1))
    if op in ("<", "<="):
        return sympy.Interval(low, high, op == "<", op == "<"), str(free[0])
    return sympy.Union(_ray(op.replace(">", "<"), low), _ray(op, high)), str(free[0])


def _between_bars(what: Shape) -> Expression:
    found: Nodes = what.nodes if isinstance(what, Quantity) else ()
    bars = [i for i, node in enumerate(found) if node.kind == "bar"]
    return algebra.expression(found[1:-1]) if bars == [0, len(found) - 1] else None
