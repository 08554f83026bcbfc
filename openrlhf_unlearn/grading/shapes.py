"""The kinds of answers: what an answer is, so that only like is compared with like. classify.py finds them."""

from dataclasses import dataclass

from openrlhf_unlearn.grading.nodes import Node

Nodes = tuple[Node, ...]


@dataclass(frozen=True)
class Quantity:
    """One expression. unit: None if there is none, "" for counted things, "%" for percent. family: its parameter."""

    nodes: Nodes
    unit: str | None = None
    family: str | None = None


@dataclass(frozen=True)
class Words:
    """Nothing that can be calculated: only the same writing is the same answer."""

    nodes: Nodes


@dataclass(frozen=True)
class Relation:
    """sides[0] ops[0] sides[1] ops[1] …: an equation, a chain of inequalities, a membership."""

    sides: tuple
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Many:
    """Several answers in any order. kind: "list", "or" (alternatives, named as such), "set" (braces), "system"."""

    items: tuple
    kind: str


@dataclass(frozen=True)
class Row:
    """Items in an order, within brackets: a point, a vector or an interval."""

    items: tuple
    brackets: str


@dataclass(frozen=True)
class Joined:
    """Sets joined by "cup", "cap" or "minus"."""

    parts: tuple
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """rows of cells, times `factor` (nodes, empty for 1)."""

    rows: tuple[tuple, ...]
    factor: Nodes = ()


@dataclass(frozen=True)
class Determinant:
    """A square of cells between bars."""

    rows: tuple[tuple, ...]


@dataclass(frozen=True)
class Cases:
    """A function by cases: pairs of a value and its condition."""

    rows: tuple[tuple, ...]


@dataclass(frozen=True)
class Ratio:
    """3:4; a clock, too, if the second part has two digits (10:30, with "am" or "pm" as half)."""

    parts: tuple
    clock: bool = False
    half: str = ""


@dataclass(frozen=True)
class Based:
    """Digits in a base."""

    digits: str
    base: str


@dataclass(frozen=True)
class Residue:
    """A remainder: value mod modulus."""

    value: object
    modulus: object


@dataclass(frozen=True)
class Builder:
    """{x : condition}."""

    variable: str
    conditions: tuple
