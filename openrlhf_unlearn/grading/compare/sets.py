"""Sets of real numbers: intervals, inequalities, unions, set builders."""

from collections.abc import Sequence

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.algebra.cas import NOT_A_NUMBER, Expression, sympy
from openrlhf_unlearn.grading.classify.shapes import Builder, Joined, Many, Quantity, Relation, Row, Same, Shape, Words
from openrlhf_unlearn.grading.compare.inequalities import NONE, Named, real_number, solved
from openrlhf_unlearn.grading.worded import EMPTY, REALS, spoken


def sets(a: Shape, b: Shape, rule: Same) -> str | None:
    """The same set of real numbers; the variable must be the same if both name one."""
    if isinstance(a, Row) and isinstance(b, Row):
        return None  # points, too, have two numbers
    try:
        (x, name_x), (y, name_y) = _set(a), _set(b)
    except NOT_A_NUMBER:
        return None
    if x is None or y is None or name_x and name_y and name_x != name_y:
        return None
    return "set" if x == y or algebra.certain(_simplify_alike, x, y) else None


def _simplify_alike(x: Expression, y: Expression) -> bool:
    return bool(sympy.simplify(x) == sympy.simplify(y))


def _set(what: Shape) -> Named:
    if isinstance(what, Row):
        return _interval(what), None
    if isinstance(what, Joined):
        return _joined([_set(part)[0] for part in what.parts], what.ops), None
    if isinstance(what, Relation):
        return solved(what, _set)
    if isinstance(what, Builder):
        return _conditions(what.conditions, "and", what.variable)[0], None
    if isinstance(what, Many):
        return _several(what)
    if isinstance(what, Words):
        said = spoken(what)
        return (sympy.S.Reals if said in REALS else sympy.S.EmptySet if said in EMPTY else None), None
    if isinstance(what, Quantity) and not what.unit and [node.kind for node in what.nodes] == ["sym"]:
        found = algebra.expression(what.nodes)
        return (found if isinstance(found, sympy.Set) else None), None
    return NONE


def _interval(row: Row) -> Expression:
    if len(row.items) != 2 or row.brackets not in ("()", "[]", "(]", "[)"):
        return None
    low, high = map(real_number, row.items)
    if low is None or high is None or not low < high:
        return None
    if low == -sympy.oo and row.brackets[0] == "[" or high == sympy.oo and row.brackets[1] == "]":
        return None
    return sympy.Interval(low, high, row.brackets[0] == "(", row.brackets[1] == ")")


def _joined(parts: list[Expression], ops: Sequence[str]) -> Expression:
    if any(part is None for part in parts):
        return None
    result = parts[0]
    for op, part in zip(ops, parts[1:], strict=True):
        result = {"cup": sympy.Union, "cap": sympy.Intersection, "minus": sympy.Complement}[op](result, part)
    return result


def _conditions(conditions: Sequence[Shape], join: str, variable: str | None = None) -> Named:
    found = list(map(_set, conditions))
    names = {name for _, name in found if name}
    if any(part is None for part, _ in found) or len(names) > 1 or variable and names - {variable}:
        return NONE
    parts = [part for part, _ in found]
    return (sympy.Union(*parts) if join == "or" else sympy.Intersection(*parts)), next(iter(names), None)


def _several(what: Many) -> Named:
    if not what.items:
        return sympy.S.EmptySet, None
    relations = [item for item in what.items if isinstance(item, Relation) and set(item.ops) != {"="}]
    if len(relations) == len(what.items):
        unequal = all(item.ops == ("!=",) for item in relations)
        if what.kind == "system" or unequal and what.kind != "or":
            return _conditions(relations, "and")
        # "x < -1, x > 2" can only mean either; "x > 0 and x < 1" only both
        both = _conditions(relations, "and") if what.kind == "list" else NONE
        return _conditions(relations, "or") if what.kind != "list" or both[0] == sympy.S.EmptySet else both
    if what.kind == "or" and all(isinstance(item, Row | Joined) for item in what.items):
        return _conditions(what.items, "or")
    if what.kind == "set":
        numbers = list(map(real_number, what.items))
        return (sympy.FiniteSet(*numbers), None) if None not in numbers else NONE
    return NONE
