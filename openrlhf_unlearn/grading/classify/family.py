r"""Families over the integers: "…, k \in \mathbb{Z}"."""

from dataclasses import replace

from openrlhf_unlearn.grading.classify.shapes import Many, Quantity, Relation, Shape
from openrlhf_unlearn.grading.classify.trim import trimmed
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes

_INTEGERS = {"integer", "integers"}


def family_of(found: Nodes) -> tuple[str | None, Nodes]:
    r"""(k, the rest) of "…, k \in \mathbb{Z}", "…, where k is an integer", "… (k \in Z)"."""
    if not any(_names_integers(node) for node in found):
        return None, found
    starts = [i for i, node in enumerate(found) if i and (node.kind in ("sep", "open") or node.kind == "word")]
    for i in starts:
        tail = [node for node in found[i:] if node.kind not in ("sep", "open", "close")]
        letters = {node.text for node in tail if node.kind == "let" and node.text not in ("Z", "N")}
        rest = all(
            node.kind == "let"
            or node == Node("rel", "in")
            or _names_integers(node)
            or node.kind in ("sup", "sub")  # the positive ones
            or node.kind == "word"
            and node.text.casefold() in {"where", "for", "any", "all", "is", "an", "some", "with", "every", "integer"}
            for node in tail
        )
        outside = sum((node.kind == "open") - (node.kind == "close") for node in found[:i]) == 0
        if outside and rest and len(letters) == 1 and any(_names_integers(node) for node in tail):
            return letters.pop(), trimmed(found[:i])
    return None, found


def _names_integers(node: Node) -> bool:
    integers = (Node("let", "Z"), Node("let", "N"))
    return (
        node.kind == "word"
        and node.text.casefold() in _INTEGERS
        or node in integers
        or node.kind == "sym"
        and node.text == "bb"
        and node.args[0][:1] in ((integers[0],), (integers[1],))
    )


def with_family(what: Shape, family: str) -> Shape:
    if isinstance(what, Quantity):
        return replace(what, family=family)
    if isinstance(what, Many):
        return replace(what, items=tuple(with_family(item, family) for item in what.items))
    if isinstance(what, Relation):
        return replace(what, sides=(*what.sides[:-1], with_family(what.sides[-1], family)))
    return what
