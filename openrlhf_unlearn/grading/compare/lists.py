"""Several values in any order, systems, and one value written twice."""

from collections.abc import Sequence

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.classify.shapes import Many, Quantity, Relation, Row, Same, Shape
from openrlhf_unlearn.grading.compare.assigned import assignments
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes


def lists(a: Shape, b: Shape, rule: Same) -> str | None:
    """Several values in any order. Repeated ones count once."""
    if not (isinstance(a, Many) and isinstance(b, Many)):
        return None
    items, others = _flat(a, rule), _flat(b, rule)
    if a.kind != b.kind and "or" in (a.kind, b.kind) and any(map(_is_inequality, (*items, *others))):
        return None  # sets compares them: x > 1 and x < 3 is not x > 1 or x < 3
    equations = "system" in (a.kind, b.kind) or any(isinstance(item, Relation) for item in (*items, *others))
    if equations and (found := _systems(items, others, rule)):
        return found
    return "list" if items and others and _same_values(items, others, rule) else None


def _is_inequality(what: Shape) -> bool:
    return isinstance(what, Relation) and not {"<", ">", "<=", ">=", "!="}.isdisjoint(what.ops)


def _same_values(items: Sequence[Shape], others: Sequence[Shape], rule: Same) -> bool:
    """Each of either side is one of the other."""
    forth = all(any(rule(item, other) for other in others) for item in items)
    return forth and all(any(rule(item, other) for item in items) for other in others)


def _flat(many: Many, rule: Same) -> Sequence[Shape]:
    """Lists of one variable, x = 1 or x = 2, and x_1 = 1, x_2 = 2, as their values."""
    items: list[Shape] = []
    for item in many.items:
        items += item.items if isinstance(item, Many) and item.kind == "pm" else [item]
    named = assignments(items, rule)
    if named and len({name.partition("_")[0].strip() for name, _ in named}) == 1:
        return [value for _, value in named]
    return items


def _systems(items: Sequence[Shape], others: Sequence[Shape], rule: Same) -> str | None:
    """x=1, y=2 in any order; systems of equations one by one."""
    if len(items) != len(others):
        return None
    named, other_named = assignments(items, rule), assignments(others, rule)
    if named and other_named:
        values, other_values = dict(named), dict(other_named)
        same_names = values.keys() == other_values.keys()
        return "system" if same_names and all(rule(v, other_values[name]) for name, v in values.items()) else None
    return "system" if _same_values(items, others, rule) else None


def repeated(a: Shape, b: Shape, rule: Same) -> str | None:
    """1/2, 0.5 for 0.5: one value written twice; 5/2 (2.5) likewise; {5} for 5."""
    if isinstance(a, Many) and a.kind in ("list", "or") and isinstance(b, Quantity) and 1 < len(a.items) <= 3:
        return "twice" if all(rule(item, b) for item in a.items) else None
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Many) and one.kind == "set" and len(one.items) == 1 and _is_element(other):
            return "set" if rule(*((one.items[0], b) if one is a else (a, one.items[0]))) else None
    if isinstance(a, Quantity) and isinstance(b, Quantity) and (parts := _in_parentheses(a.nodes)):
        value, decimal = parts
        as_value = algebra.equal(value, b.nodes) and algebra.near(value, decimal)
        return "twice" if as_value or algebra.equal(decimal, b.nodes) and algebra.equal(value, decimal) else None
    return None


def _is_element(what: Shape) -> bool:
    """A number or point, and not the empty set, which {∅} is not."""
    return isinstance(what, Row) or isinstance(what, Quantity) and what.nodes[0] != Node("sym", "emptyset")


def _in_parentheses(found: Nodes) -> tuple[Nodes, Nodes] | None:
    """(5/2, 2.5) of "5/2 (2.5)"."""
    enclosed = len(found) > 3 and found[-3] == Node("open", "(") and found[-1] == Node("close", ")")
    return (found[:-3], found[-2:-1]) if enclosed and algebra.is_decimal(found[-2:-1]) else None
