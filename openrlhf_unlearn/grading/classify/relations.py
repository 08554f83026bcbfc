"""Equations, inequalities, remainders, unions, ratios: sides and the signs between them."""

from openrlhf_unlearn.grading.classify.shapes import Joined, Many, Of, Ratio, Relation, Residue, Words
from openrlhf_unlearn.grading.classify.split import split
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes
from openrlhf_unlearn.grading.formula.symbols import ALL_REALS

REALS: Nodes = (Node("sym", "bb", ((Node("let", "R"),),)),)
_MOD = (Node("word", "mod"), Node("mod", "bmod", ((),)))


def relation(found: Nodes, of: Of) -> Relation | Words | None:
    parts, marks = split(found, lambda node: node.kind == "rel")
    if not marks or not all(parts):
        return Words(found) if marks else None
    if marks[-1].text == "in" and parts[-1] == (Node("let", "R"),):
        parts[-1] = REALS
    return Relation(tuple(of(part) for part in parts), tuple(mark.text for mark in marks))


def residue(found: Nodes, of: Of) -> Residue | None:
    r"""3 \pmod 7, 3 \bmod 7, 3 (mod 7)."""
    if len(found) > 3 and found[-1].kind == "close" and (start := _opens(found)) and found[start + 1] in _MOD:
        return Residue(of(found[:start]), of(found[start + 2 : -1]))
    at = next((i for i, node in enumerate(found) if node.kind == "mod"), None)
    if at and found[at].text == "pmod" and at == len(found) - 1:
        return Residue(of(found[:at]), of(found[at].args[0]))
    if at and found[at].text == "bmod" and at == len(found) - 2:
        return Residue(of(found[:at]), of(found[at + 1 :]))
    return None


def _opens(found: Nodes) -> int | None:
    """Where the bracket that the last node closes was opened."""
    return next((i for i in range(len(found) - 2, -1, -1) if found[i].kind == "open"), None)


def joined(found: Nodes, of: Of) -> Joined | Words | None:
    if excluded := _but_for(found):
        left_out = of(excluded)
        items = left_out.items if isinstance(left_out, Many) else (left_out,)
        values = tuple(item.sides[-1] if isinstance(item, Relation) else item for item in items)
        return Joined((of(REALS), Many(values, "set")), ("minus",))
    found = tuple(
        Node("set", "minus") if node == Node("op", "-") and found[i + 1 : i + 2] == (Node("open", "{"),) and i else node
        for i, node in enumerate(found)
    )
    parts, marks = split(found, lambda node: node.kind == "set")
    if not marks or [found[0].kind, found[-1].kind] == ["bar", "bar"]:  # |A ∪ B|
        return None
    if not all(parts):
        return Words(found)
    return Joined(tuple(of(part) for part in parts), tuple(mark.text for mark in marks))


def _but_for(found: Nodes) -> Nodes:
    """2 of "all real numbers except 2"."""
    at = next((i for i, node in enumerate(found) if node == Node("word", "except")), 0)
    rest = found[at + 1 :]
    rest = rest[1:] if rest[:1] == (Node("word", "for"),) else rest
    return rest if at and " ".join(node.text for node in found[:at]).casefold() in ALL_REALS else ()


def ratio(found: Nodes, of: Of) -> Ratio | None:
    parts, marks = split(found, lambda node: node.kind == "colon" or node == Node("word", "to"))
    return Ratio(tuple(of(part) for part in parts)) if marks and all(parts) else None
