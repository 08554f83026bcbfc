"""Several answers: lists, alternatives, ±."""

from collections.abc import Iterable
from dataclasses import replace

from openrlhf_unlearn.grading.classify.shapes import Many, Of, Shape
from openrlhf_unlearn.grading.classify.split import split
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes, within

# Signs that join relations; of statements they are left as they are.
_CONJUNCTIONS = {Node("cmd", sign): Node("conj", "or") for sign in ("lor", "vee")} | {
    Node("cmd", sign): Node("conj", "and") for sign in ("land", "wedge")
}


def many(found: Nodes, of: Of) -> Many | None:
    rows, breaks = split(found, lambda node: node.kind == "row")
    if breaks and all(any(node.kind == "rel" for node in row) for row in rows):  # x = 5 \\ y = 6
        return Many(tuple(map(of, rows)), "system")
    if any(node.kind == "rel" for node in found):
        found = tuple(_CONJUNCTIONS.get(node, node) for node in found)
    parts, marks = split(found, lambda node: node.kind in ("sep", "conj"))
    if not marks:
        return _plus_minus(found, of)
    parts = [part for part in parts if part]  # "1, 2, and 3"
    kind = "or" if any(mark.text == "or" for mark in marks) else "list"
    if len(parts) == 1:
        return None
    return Many(spread(of(part) for part in parts), kind)


def spread(items: Iterable[Shape]) -> tuple[Shape, ...]:
    """Items with the plus-minus ones as their two."""
    out: list[Shape] = []
    for item in items:
        out += item.items if isinstance(item, Many) and item.kind == "pm" else [item]
    return tuple(out)


def _plus_minus(found: Nodes, of: Of) -> Many | None:
    """x = 1 ± √2 as two."""
    if not any(node.kind in ("pm", "mp") for node in within(found)) or any(node.kind == "env" for node in found):
        return None
    if any(node.kind in ("pm", "mp") and i and found[i - 1].kind in ("op", "pm", "mp") for i, node in enumerate(found)):
        return None  # -±3
    coupled = any(node.kind == "mp" for node in within(found))
    variants = [_signed(found, True), _signed(found, False)] if coupled else _signs(found)
    if len(variants) > 16:
        return None
    return Many(tuple(map(of, variants)), "pm")


def _signed(found: Nodes, upper: bool) -> Nodes:
    out: list[Node] = []
    for node in found:
        if node.kind in ("pm", "mp"):
            node = Node("op", "+" if (node.kind == "pm") == upper else "-")
        elif node.args and node.kind != "env":
            node = replace(node, args=tuple(_signed(arg, upper) for arg in node.args))
        out.append(node)
    return tuple(out)


def _signs(found: Nodes) -> list[Nodes]:
    """Every ± with either sign, at the top each for itself."""
    for i, node in enumerate(found):
        if node.kind == "pm":
            return [v for sign in "+-" for v in _signs((*found[:i], Node("op", sign), *found[i + 1 :]))][:17]
        if node.args and node.kind != "env" and any(inner.kind == "pm" for inner in within((node,))):
            both = [replace(node, args=tuple(_signed(arg, upper) for arg in node.args)) for upper in (True, False)]
            return [v for one in both for v in _signs((*found[:i], one, *found[i + 1 :]))][:17]
    return [found]
