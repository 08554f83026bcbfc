"""The parts of a formula, and one canonical writing of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Nodes: TypeAlias = tuple["Node", ...]


@dataclass(frozen=True)
class Node:
    """One part of a formula.

    kind: num let word fn op rel sep conj open close bar pm mp set sym deg prime pct colon sup sub frac sqrt binom
    accent env mod dots mark cmd lead. text: its canonical writing. args: the nodes within, a tuple for each argument.
    """

    kind: str
    text: str
    args: tuple[Any, ...] = ()  # tuples of nodes; of an env, its rows: tuples of cells, tuples of nodes


class Unreadable(ValueError):
    """The text is no well-formed formula."""


def writing_of(found: Iterable[Node]) -> str:
    """One text for the nodes: equal writings are equal answers. Words count without regard to case."""
    parts: list[str] = []
    for node in found:
        if node.args:
            inner = "}{".join(
                "&".join(map(writing_of, arg)) if node.kind == "env" else writing_of(arg) for arg in node.args
            )
            parts.append(f"{node.text}{{{inner}}}")
        else:
            parts.append(node.text.casefold() if node.kind == "word" else node.text)
    return " ".join(parts)


def within(found: Iterable[Node]) -> Iterator[Node]:
    """The nodes at every depth, but for what stands in an environment."""
    for node in found:
        yield node
        for arg in node.args if node.kind != "env" else ():
            yield from within(arg)
