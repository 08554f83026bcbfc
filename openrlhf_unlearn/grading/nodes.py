"""The parts of a formula, and one canonical writing of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """One part of a formula.

    kind: num let word fn op rel sep conj open close bar pm mp set sym deg prime pct colon sup sub frac sqrt binom
    accent env mod dots mark cmd lead. text: its canonical writing. args: the nodes within, a tuple for each argument.
    """

    kind: str
    text: str
    args: tuple = ()


class Unreadable(ValueError):
    """The text is no well-formed formula."""


def writing_of(found) -> str:
    """One text for the nodes: equal writings are equal answers. Words count without regard to case."""
    parts = []
    for node in found:
        if node.args:
            inner = "}{".join(
                "&".join(map(writing_of, arg)) if node.kind == "env" else writing_of(arg) for arg in node.args
            )
            parts.append(f"{node.text}{{{inner}}}")
        else:
            parts.append(node.text.casefold() if node.kind == "word" else node.text)
    return " ".join(parts)
