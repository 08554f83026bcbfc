"""Comparisons that need sympy's objects: intervals and their unions, curves, families, ratios, nearness."""

from sympy import (
    Basic,
    Complement,
    EmptySet,
    Expr,
    FiniteSet,
    ImmutableMatrix,
    Intersection,
    Interval,
    Rational,
    S,
    Set,
    Symbol,
    Union,
    cancel,
    fraction,
    oo,
    simplify,
)

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.algebra import NOT_A_NUMBER
from openrlhf_unlearn.grading.nodes import writing_of
from openrlhf_unlearn.grading.shapes import Builder, Determinant, Joined, Many, Quantity, Relation, Row, Words
from openrlhf_unlearn.grading.words import EMPTY, REALS, spoken

_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def same_set(a, b) -> bool:
    """Whether two shapes are the same set of real numbers; the variable must be the same if both name one."""
    try:
        (x, name_x), (y, name_y) = _set(a), _set(b)
    except NOT_A_NUMBER:
        return False
    if x is None or y is None or name_x and name_y and name_x != name_y:
        return False
    return bool(x == y or algebra.certain(lambda p, q: simplify(p) == simplify(q), x, y))


def _set(what) -> tuple[Set | None, str | None]:
    """(the set, its variable's name)."""
    if isinstance(what, Row):
        return _interval(what), None
    if isinstance(what, Joined):
        return _joined([_set(part)[0] for part in what.parts], what.ops), None
    if isinstance(what, Relation):
        return _solved(what)
    if isinstance(what, Builder):
        return _conditions(what.conditions, "and", what.variable)[0], None
    if isinstance(what, Many):
        return _several(what)
    if isinstance(what, Words) and spoken(what) in REALS:
        return S.Reals, None
    if isinstance(what, Words) and spoken(what) in EMPTY:
        return S.EmptySet, None
    if (
        isinstance(what, Quantity)
        and not what.unit
        and any(node.kind == "sym" for node in what.nodes)
        and len(what.nodes) == 1
    ):
        found = algebra.expression(what.nodes)
        return (found, None) if isinstance(found, Set) else (None, None)
    return None, None


def _number(what):
    if not isinstance(what, Quantity) or what.unit:
        return None
    found = algebra.expression(what.nodes)
    real = isinstance(found, Expr) and found.is_number and found.is_extended_real
    return found.doit() if real else None


def _interval(row: Row) -> Set | None:
    if len(row.items) != 2 or row.brackets not in ("()", "[]", "(]", "[)"):
        return None
    low, high = map(_number, row.items)
    if low is None or high is None or not low < high:
        return None
    if low == -oo and row.brackets[0] == "[" or high == oo and row.brackets[1] == "]":
        return None
    return Interval(low, high, row.brackets[0] == "(", row.brackets[1] == ")")


def _joined(parts: list, ops) -> Set | None:
    if any(part is None for part in parts):
        return None
    result = parts[0]
    for op, part in zip(ops, parts[1:], strict=True):
        result = {"cup": Union, "cap": Intersection, "minus": Complement}[op](result, part)
    return result


def _solved(relation: Relation) -> tuple[Set | None, str | None]:
    """x > 3, 0 < x ≤ 1, x ≠ 2, x ∈ (0,1): solved for one name on its own."""
    sides, ops = relation.sides, relation.ops
    at = [i for i, side in enumerate(sides) if isinstance(side, Quantity) and _is_variable(side)]
    if len(at) != 1 or sides[at[0]].nodes[0].kind == "bar":
        return _absolute(relation)
    name = writing_of(sides[at[0]].nodes)
    if ops == ("in",) and at == [0]:
        return _set(sides[1])[0], name
    if ops == ("notin",) and at == [0]:
        excluded = _set(sides[1])[0]
        return (None if excluded is None else Complement(S.Reals, excluded)), name
    if ops == ("!=",):
        value = _number(sides[1 - at[0]])
        return (None if value is None else Complement(S.Reals, FiniteSet(value))), name
    if not set(ops) <= set(_TURNED) and ops != ("!=",) or len(sides) > 3 or len(sides) == 3 and at != [1]:
        return None, None
    result = S.Reals
    for i, op in enumerate(ops):
        left = i + 1 == at[0] if len(sides) == 3 else at[0] == 1
        bound = _number(sides[i] if left else sides[i + 1])
        if bound is None or not left and i + 1 == at[0]:
            return None, None
        op = _TURNED[op] if left else op
        result = Intersection(result, _ray(op, bound))
    return result, name


def _absolute(relation: Relation) -> tuple[Set | None, str | None]:
    """|x - 1| < 2 as -1 < x < 3."""
    if len(relation.ops) != 1 or relation.ops[0] not in _TURNED:
        return None, None
    (left, right), op = relation.sides, relation.ops[0]
    if _number(left) is not None:
        left, right, op = right, left, _TURNED[op]
    bound = _number(right)
    bars = isinstance(left, Quantity) and [node.kind for node in left.nodes].count("bar") == 2
    if not bars or bound is None or bound <= 0 or {left.nodes[0].kind, left.nodes[-1].kind} != {"bar"}:
        return None, None
    inside = algebra.expression(left.nodes[1:-1])
    free = list(inside.free_symbols) if isinstance(inside, Expr) else []
    if len(free) != 1 or inside.diff(free[0]).free_symbols or not inside.diff(free[0]).is_real:
        return None, None
    ends = sorted((sign * bound - inside.subs(free[0], 0)) / inside.diff(free[0]) for sign in (1, -1))
    if op in ("<", "<="):
        return Interval(*ends, op == "<", op == "<"), str(free[0])
    return Union(_ray(op.replace(">", "<"), ends[0]), _ray(op, ends[1])), str(free[0])


def _is_variable(side: Quantity) -> bool:
    return algebra.is_name(side.nodes) and not side.unit and algebra.letters(side.nodes) != {"e"}


def _ray(op: str, bound) -> Set:
    if op in ("<", "<="):
        return Interval(-oo, bound, True, op == "<")
    return Interval(bound, oo, op == ">", True)


def _conditions(conditions, join: str, variable: str | None = None) -> tuple[Set | None, str | None]:
    found = [_set(condition) for condition in conditions]
    names = {name for _, name in found if name}
    if any(part is None for part, _ in found) or len(names) > 1 or variable and names - {variable}:
        return None, None
    parts = [part for part, _ in found]
    return (Union(*parts) if join == "or" else Intersection(*parts)), next(iter(names), None)


def _several(what: Many) -> tuple[Set | None, str | None]:
    if not what.items:
        return S.EmptySet, None
    relations = [isinstance(item, Relation) and set(item.ops) != {"="} for item in what.items]
    if all(relations):
        unequal = all(item.ops == ("!=",) for item in what.items)
        rays = [item.ops for item in what.items]
        join = "and" if what.kind == "system" or unequal and what.kind != "or" else "or"
        if what.kind == "list" and not unequal and join == "or":
            found = _conditions(what.items, "or")
            both = _conditions(what.items, "and")
            # "x < -1, x > 2" can only mean either; "x > 0 and x < 1" only both
            return found if both[0] is S.EmptySet or both[0] == EmptySet else both
        return _conditions(what.items, join) if rays else (None, None)
    if what.kind in ("set", "list", "or"):
        if all(isinstance(item, Row | Joined) for item in what.items) and what.kind == "or":
            return _conditions(what.items, "or")
        if what.kind == "set":
            numbers = [_number(item) for item in what.items]
            return (FiniteSet(*numbers), None) if None not in numbers else (None, None)
    return None, None


def same_curve(a: Relation, b: Relation) -> bool:
    """Two equations of which one is a multiple of the other: x+y=3 and 2x+2y=6; the same sides exchanged."""
    sides = [[algebra.expression(side.nodes) for side in relation.sides] for relation in (a, b)]
    if not all(isinstance(side, Expr) for pair in sides for side in pair):
        return False
    units = [side.unit for relation in (a, b) for side in relation.sides]
    if any(unit for unit in units):
        return False
    try:
        differences = [(left - right).doit() for left, right in sides]
        if any(not difference.free_symbols for difference in differences):
            return False
        if differences[0].free_symbols != differences[1].free_symbols:
            return False
        numerators = [fraction(difference.together())[0].expand() for difference in differences]
        if 0 in numerators:
            return False
        ratio = cancel(numerators[0] / numerators[1])
        return not ratio.free_symbols or not simplify(ratio).free_symbols
    except NOT_A_NUMBER:
        return False


def same_family(a: Quantity, b: Quantity) -> bool:
    """π/3 + 2kπ and π/3 + 2nπ: the same numbers for all integers, period and offset alike."""
    x, y = algebra.expression(a.nodes), algebra.expression(b.nodes)
    if not isinstance(x, Expr) or not isinstance(y, Expr) or a.unit and b.unit and a.unit != b.unit:
        return False
    k = Symbol("k_", integer=True)
    names = []
    for quantity, expression, other in ((a, x, b), (b, y, a)):
        free = {str(symbol) for symbol in expression.free_symbols}
        name = quantity.family or (
            other.family if other.family in free else next(iter(free)) if len(free) == 1 else None
        )
        names.append(name)
    if None in names:
        return False
    x, y = (e.subs(Symbol(name.replace("\\", "")), k) for e, name in zip((x, y), names, strict=True))
    if algebra.same_expressions(x, y):
        return True
    try:
        steps = [(e.subs(k, 1) - e.subs(k, 0)).expand() for e in (x, y)]
        linear = all((e - e.subs(k, 0) - step * k).expand() == 0 for e, step in zip((x, y), steps, strict=True))
        if not linear or 0 in steps or simplify(abs(steps[0]) - abs(steps[1])) != 0:
            return False
        return bool(simplify((x.subs(k, 0) - y.subs(k, 0)) / steps[0]).is_integer)
    except NOT_A_NUMBER:
        return False


def same_ratio(a, b) -> bool:
    """3:4 and 6:8."""
    if not all(isinstance(part, Quantity) for part in (*a, *b)):
        return False
    numbers = [[algebra.number(part.nodes) for part in parts] for parts in (a, b)]
    if any(value is None for values in numbers for value in values):
        return all(algebra.equal(x.nodes, y.nodes) for x, y in zip(a, b, strict=True))
    return all(x * numbers[1][0] == y * numbers[0][0] for x, y in zip(*numbers, strict=True)) and any(numbers[0])


def determinant_is(what: Determinant, value: Quantity) -> bool:
    cells = [
        [algebra.expression(cell.nodes) if isinstance(cell, Quantity) else None for cell in row] for row in what.rows
    ]
    wanted = algebra.expression(value.nodes)
    if len(cells) > 6 or not all(isinstance(cell, Expr) for row in (*cells, [wanted]) for cell in row):
        return False
    return algebra.same_expressions(ImmutableMatrix(cells).det(), wanted)


def components(what: Quantity) -> list | None:
    """The coefficients of i, j (and k) of a vector 2i + 3j; None if it is none."""
    vectors = [Symbol(f"vec{{{name}}}") for name in "ijk"]
    found = algebra.expression(what.nodes) if any(node.kind == "accent" for node in what.nodes) else None
    if not isinstance(found, Expr) or not found.free_symbols & set(vectors):
        return None
    found = found.expand()
    parts = [found.coeff(vector) for vector in vectors]
    if (found - sum(part * vector for part, vector in zip(parts, vectors, strict=True))).expand() != 0:
        return None
    return parts if parts[2] != 0 else parts[:2]


def same_scaled(factor_a, cells_a, factor_b, cells_b) -> bool:
    values = [
        [algebra.expression(cell.nodes) if isinstance(cell, Quantity) else None for cell in cells]
        for cells in (cells_a, cells_b)
    ]
    factors = [algebra.expression(factor) if factor else Rational(1) for factor in (factor_a, factor_b)]
    if not all(isinstance(value, Expr) for value in (*factors, *values[0], *values[1])):
        return False
    return all(algebra.same_expressions(factors[0] * x, factors[1] * y) for x, y in zip(*values, strict=True))


def near(a, b) -> bool:
    """Within one part in a hundred: a decimal given beside an exact value."""
    x, y = algebra.expression(a), algebra.expression(b)
    if not all(isinstance(value, Basic) and getattr(value, "is_number", False) for value in (x, y)):
        return a == b
    try:
        return bool(abs((x - y).evalf(20)) <= Rational(1, 100) * max(abs(x.evalf(20)), abs(y.evalf(20))))
    except NOT_A_NUMBER:
        return False
