"""The last pass over the nodes of one level."""

from collections.abc import Sequence

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes


def finished(found: Sequence[Node]) -> Nodes:
    r"""Spaces dropped, \over made a fraction, ^\circ a degree."""
    out: list[Node] = []
    for i, node in enumerate(found):
        if node.kind == "space":
            if node.text == "quad" and _parts_relations(found, i):
                out.append(Node("sep", ","))
            continue
        if node.kind == "word" and len(out) > 1 and out[-1] == Node("op", "-") and out[-2].kind == "let":
            node = Node("word", f"{out[-2].text}-{node.text}")  # the x-axis
            del out[-2:]
        if node.kind == "sup" and len(node.args[0]) == 1 and _is_ring(node.args[0][0], out):
            node = Node("deg", "deg")
        elif node.kind == "sup" and node.args[0] and all(inner.kind == "prime" for inner in node.args[0]):
            out.extend(node.args[0])
            continue
        out.append(node)
    over = next((i for i, node in enumerate(out) if node.kind == "op" and node.text in ("over", "choose")), None)
    if over is not None:
        name = "frac" if out[over].text == "over" else "binom"
        return (Node(name, name, (tuple(out[:over]), tuple(out[over + 1 :]))),)
    return tuple(out)


def _parts_relations(found: Sequence[Node], at: int) -> bool:
    r"""x = 5 \quad y = 6: a wide space between two equations is a comma."""
    after = next((i for i in range(at, len(found)) if found[i].kind != "space"), len(found))
    before = next((node for node in reversed(found[:at]) if node.kind != "space"), None)
    relations = (any(node.kind == "rel" for node in side) for side in (found[:at], found[after:]))
    ends = before is not None and before.kind not in ("rel", "sep", "conj", "op", "open", "lead", "colon")
    return ends and all(relations) and found[after].kind == "let"


def _is_ring(node: Node, before: list[Node]) -> bool:
    r"""^\circ, and ^o after a number."""
    after_number = bool(before) and before[-1].kind == "num"
    return node.kind in ("circ", "deg") or node.text == "o" and node.kind in ("let", "word") and after_number


def parts_at(kind: str, found: Sequence[Node]) -> list[Nodes]:
    """The nodes between those of a kind: the cells of a row, the rows of a matrix."""
    parts: list[list[Node]] = [[]]
    for node in found:
        if node.kind == kind:
            parts.append([])
        else:
            parts[-1].append(node)
    return [tuple(part) for part in parts]
