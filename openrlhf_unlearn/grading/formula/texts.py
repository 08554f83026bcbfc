r"""Words and letters in a font: \text{…}, \mathrm{cm}, \mathbf{x}."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openrlhf_unlearn.grading.formula.nodes import Node
from openrlhf_unlearn.grading.formula.symbols import FUNCTIONS
from openrlhf_unlearn.grading.formula.units import UNITS

if TYPE_CHECKING:
    from openrlhf_unlearn.grading.formula.reader import Reader

UNIT_VECTORS = {name: Node("accent", "vec", ((Node("let", name),),)) for name in ("i", "j", "k")}
_RUN = re.compile(r"(?<![\\A-Za-z])[A-Za-z]+")


def texts(reader: Reader) -> list[Node]:
    r"""\text{…}: words, and whatever formula stands among them."""
    inside = reader.raw_argument()
    if inside.strip().casefold() == "infinity":
        return [Node("sym", "infty")]
    found = reader.nested(inside, in_text=not ("$" in inside or _is_formula(inside)))
    return [Node("space", " "), *found, Node("space", " ")]


def fonts(reader: Reader, before: list[Node], bold: bool) -> list[Node]:
    r"""\mathrm{cm} is a word, \mathrm{lcm} a function, \mathbf{x} a letter, \mathrm{m} a unit after a number."""
    inside = reader.raw_argument()
    name = inside.strip("~ ")
    if name in FUNCTIONS:
        return [Node("fn", name)]
    if bold and name in UNIT_VECTORS:
        return [UNIT_VECTORS[name]]
    runs = _RUN.findall(inside)
    after_number = any(node.kind in ("num", "frac", "sqrt") for node in before)
    unit = after_number and bool(runs) and all(run in UNITS and run not in "ei" for run in runs)
    word = name.isalpha() and len(name) > 1 and not _plain_letters(name)
    return list(reader.nested(inside, in_text=unit or word))


def _is_formula(text: str) -> bool:
    return "\\" in text or bool(text) and not any(char.isalpha() for char in text)


def _plain_letters(name: str) -> bool:
    return name.isupper() and len(name) < 3 and name != "NO"
