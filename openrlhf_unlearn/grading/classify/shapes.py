"""The kinds of answers: what an answer is, so that only like is compared with like. order.py finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from openrlhf_unlearn.grading.formula.nodes import Nodes


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

    sides: tuple[Shape, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Many:
    """Several answers in any order. kind: "list", "or" (alternatives, named as such), "set" (braces), "system"."""

    items: tuple[Shape, ...]
    kind: str


@dataclass(frozen=True)
class Row:
    """Items in an order, within brackets: a point, a vector or an interval."""

    items: tuple[Shape, ...]
    brackets: str


@dataclass(frozen=True)
class Joined:
    """Sets joined by "cup", "cap" or "minus"."""

    parts: tuple[Shape, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """rows of cells, times `factor` (nodes, empty for 1)."""

    rows: tuple[tuple[Shape, ...], ...]
    factor: Nodes = ()


@dataclass(frozen=True)
class Determinant:
    """A square of cells between bars."""

    rows: tuple[tuple[Shape, ...], ...]


@dataclass(frozen=True)
class Cases:
    """A function by cases: pairs of a value and its condition."""

    rows: tuple[tuple[Shape, ...], ...]


@dataclass(frozen=True)
class Ratio:
    """3:4."""

    parts: tuple[Shape, ...]


@dataclass(frozen=True)
class Clock:
    """10:30, hour and minute and perhaps second. half: "am", "pm" or "" where it is not said."""

    parts: tuple[int, ...]
    half: str = ""


@dataclass(frozen=True)
class Based:
    """Digits in a base."""

    digits: str
    base: str


@dataclass(frozen=True)
class Residue:
    """A remainder: value mod modulus."""

    value: Shape
    modulus: Shape


@dataclass(frozen=True)
class Builder:
    """{x : condition}."""

    variable: str
    conditions: tuple[Shape, ...]


Shape: TypeAlias = (
    Quantity | Words | Relation | Many | Row | Joined | Matrix | Determinant | Cases | Ratio | Clock | Based | Residue
    | Builder
)  # fmt: skip
Of: TypeAlias = Callable[[Nodes], Shape]  # the shape of nodes within
Classifier: TypeAlias = Callable[[Nodes, Of], Shape | None]  # None: of another kind
Same: TypeAlias = Callable[[Shape, Shape], "str | None"]  # the rule by which an answer is a label
