"""Points and vectors: values in their places."""

from collections.abc import Sequence

from openrlhf_unlearn.grading.classify.shapes import Many, Quantity, Row, Same, Shape
from openrlhf_unlearn.grading.compare.assigned import assignments


def rows(a: Shape, b: Shape, rule: Same) -> str | None:
    """In order; x=1, y=2 for (1,2); a list without its parentheses."""
    if isinstance(b, Row) and isinstance(a, Quantity):
        a = _point(a) or a
    if isinstance(a, Row) and isinstance(b, Row):
        return "tuple" if a.brackets == b.brackets and in_order(a.items, b.items, rule) else None
    if isinstance(a, Row) and isinstance(b, Many) and _may_be_a_row(a, b):
        return "tuple" if in_order(a.items, _values(b, rule), rule) else None
    if isinstance(b, Row) and isinstance(a, Many) and _may_be_a_row(b, a):
        return "tuple" if in_order(_values(a, rule), b.items, rule) else None
    return None


def _point(what: Quantity) -> Row | None:
    """C(2,5), which counts, too, where the label is a point."""
    nodes = what.nodes
    if [node.kind for node in nodes] != ["let", "open", "num", "sep", "num", "close"] or not nodes[0].text.isupper():
        return None
    return Row((Quantity((nodes[2],)), Quantity((nodes[4],))), nodes[1].text + nodes[5].text)


def in_order(items: Sequence[Shape], others: Sequence[Shape], rule: Same) -> bool:
    return len(items) == len(others) and all(rule(x, y) for x, y in zip(items, others, strict=True))


def _may_be_a_row(row: Row, many: Many) -> bool:
    return row.brackets == "()" and many.kind in ("list", "system")


def _values(many: Many, rule: Same) -> Sequence[Shape]:
    """What x=1, y=2 assign, each name once; else the items."""
    named = assignments(many.items, rule)
    return [value for _, value in named] if named and len({name for name, _ in named}) == len(named) else many.items
