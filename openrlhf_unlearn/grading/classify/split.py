"""Cutting nodes outside brackets."""

from collections.abc import Callable

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes


def split(found: Nodes, wanted: Callable[[Node], bool]) -> tuple[list[Nodes], list[Node]]:
    """The parts between the nodes that `wanted` picks outside all brackets, and those nodes."""
    parts: list[list[Node]] = [[]]
    marks: list[Node] = []
    depth = 0
    for node in found:
        depth = max(depth + (node.kind == "open") - (node.kind == "close"), 0)
        if depth == 0 and wanted(node):
            parts.append([])
            marks.append(node)
        else:
            parts[-1].append(node)
    return [tuple(part) for part in parts], marks


def closes(found: Nodes) -> int | None:
    """Where the bracket that opens the nodes is closed."""
    depth = 0
    for i, node in enumerate(found):
        depth += (node.kind == "open") - (node.kind == "close")
        if depth == 0:
            return i
    return None
