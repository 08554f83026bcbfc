r"""What LaTeX's commands mean: \frac, \sqrt, \le, \mathbb …"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openrlhf_unlearn.grading.formula.finish import parts_at
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes, Unreadable
from openrlhf_unlearn.grading.formula.symbols import (
    ACCENTS,
    BRACKETS,
    DOTS,
    DROPPED,
    ENVIRONMENTS,
    FONTS,
    FUNCTIONS,
    GREEK,
    LAYOUT,
    LEADS,
    RELATIONS,
    RENAMED,
    SETS,
    SHOWN,
    TEXTS,
)
from openrlhf_unlearn.grading.formula.texts import UNIT_VECTORS, fonts, texts

if TYPE_CHECKING:
    from openrlhf_unlearn.grading.formula.reader import Reader

_NAME = re.compile(r"\\([A-Za-z]+\*?|.)", re.DOTALL)
_ENV_NAME = re.compile(r"\s*\{([A-Za-z]+\*?)\}")
_OPTIONS = re.compile(r"\s*\[([^\[\]]*)\]")
_ROW_SPACE = re.compile(r"\s{0,3}\[-?[0-9.]{1,5}(?:pt|e[mx]|[cm]m)\]")  # \\[4pt]
_COLUMNS = re.compile(r"\s*\{[lcr|@{} ]*\}")
_OPENING = ("{", "<", "|_", "|^")
_SPACE = Node("space", " ")
_PLAIN_FONTS = ("mathrm", "mathit", "operatorname", "rm")  # their i is a letter, no unit vector
_FRACTIONS = dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), "frac") | dict.fromkeys(
    ("binom", "dbinom", "tbinom"), "binom"
)
_OPERATORS = {"cdot": "*", "times": "*", "div": "/", "ast": "*", "over": "over", "choose": "choose"}
_BARS = {"mid", "vert", "lvert", "rvert", "|", "Vert", "lVert", "rVert"}
_KINDS = {"pm": "pm", "mp": "mp", "degree": "deg", "circ": "circ", "colon": "colon", "\\": "row",
          "&": "amp"}  # fmt: skip
_LETTERS = {"varphi": r"\phi", "varepsilon": r"\epsilon"}
_SYMBOLS = {"pi", "infty", "emptyset", "varnothing", "sum", "prod", "int"}
_SIGNS = {"$": ("word", "$"), "pounds": ("word", "£"), "%": ("pct", "%"), "textpercent": ("pct", "%")}


def command(reader: Reader, before: list[Node]) -> list[Node]:
    """The nodes of the command that stands there: first what only lays out, then mathematics."""
    found = _NAME.match(reader.text, reader.at)
    if not found:  # "5\\ " without its space
        reader.at += 1
        return []
    name, reader.at = found[1], found.end()
    if name in LAYOUT or name in (" ", "(", ")", "[", "]"):  # the last four delimit a formula
        if name in ("left", "right") and reader.text.startswith(".", reader.at):
            reader.at += 1
        return [Node("space", "quad") if name in ("quad", "qquad") else _SPACE]
    if name in DROPPED:
        reader.argument()
        return []
    if name in ("textcolor", "colorbox"):
        reader.argument()
        return list(reader.argument())
    if name in SHOWN:
        return list(reader.argument())
    if name in TEXTS:
        return texts(reader)
    if name in FONTS:
        return fonts(reader, before, bold=name not in _PLAIN_FONTS)
    if name in BRACKETS:
        return [_bracket(reader, BRACKETS[name])]
    if name == "\\" and (skipped := _ROW_SPACE.match(reader.text, reader.at)):
        reader.at = skipped.end()
    if name in _SIGNS:
        return [Node(*_SIGNS[name])]
    if name == "begin":
        return [_environment(reader)]
    if RENAMED.get(name, name) in FUNCTIONS:
        base = [Node("sub", "_", ((Node("num", "10"),),))] if name == "lg" else []
        return [Node("fn", RENAMED.get(name, name)), *base]
    return [_with_arguments(reader, name) or _symbol(name)]


def _bracket(reader: Reader, text: str) -> Node:
    opens = text in _OPENING
    reader.depth = max(reader.depth + (1 if opens else -1), 0)
    return Node("open" if opens else "close", text)


def _with_arguments(reader: Reader, name: str) -> Node | None:
    if name in _FRACTIONS:
        return Node(_FRACTIONS[name], _FRACTIONS[name], (reader.argument(), reader.argument()))
    if name == "sqrt":
        index = _OPTIONS.match(reader.text, reader.at)
        reader.at = index.end() if index else reader.at
        return Node("sqrt", "sqrt", (reader.nested(index[1]) if index else (), reader.argument(script=True)))
    if name in ("pmod", "bmod", "mod"):
        modulus = reader.argument(script=True) if name == "pmod" else ()
        return Node("mod", "pmod" if name == "pmod" else "bmod", (modulus,))
    if name in ACCENTS:
        inside = reader.argument()
        pointed = len(inside) == 1 and name in ("hat", "vec", "overrightarrow")
        return (UNIT_VECTORS.get(inside[0].text) if pointed else None) or Node("accent", name, (inside,))
    if name in ("mathbb", "mathcal", "Bbb"):
        return Node("sym", "bb", (reader.argument(),))
    return None


def _symbol(name: str) -> Node:
    if name in RELATIONS:
        return Node("rel", RELATIONS[name])
    if name in SETS:
        return Node("set", SETS[name])
    if name in ("R", "Z", "N", "Q", "reals"):
        return Node("sym", "bb", ((Node("let", "R" if name == "reals" else name),),))
    if name in _OPERATORS:
        return Node("op", _OPERATORS[name])
    if name in _BARS:
        return Node("bar", "|")
    if name == "prime":
        return Node("prime", "'")
    if name in _KINDS:
        return Node(_KINDS[name], name)
    if name in DOTS:
        return Node("dots", "...")
    if name in GREEK:
        return Node("let", _LETTERS.get(name, f"\\{name}"))
    if name == "Pr":
        return Node("let", "P")
    if name in ("imath", "jmath"):
        return Node("let", name[0])
    if name in _SYMBOLS:
        return Node("sym", "emptyset" if name == "varnothing" else name)
    return Node("lead" if name in LEADS else "cmd", name)


def _environment(reader: Reader) -> Node:
    """A matrix, cases or array: kind env, its name, and a tuple of nodes for each cell; "row" ends a row."""
    name = _ENV_NAME.match(reader.text, reader.at)
    if not name or name[1] not in ENVIRONMENTS:
        raise Unreadable("an unknown environment")
    reader.at = name.end()
    if name[1] == "array" and (columns := _COLUMNS.match(reader.text, reader.at)):
        reader.at = columns.end()
    outside, reader.depth = reader.depth, 1  # no thousands among cells
    inner = reader.sequence(rf"\end{{{name[1]}}}")
    reader.depth = outside
    rows: list[list[Nodes]] = [parts_at("amp", row) for row in parts_at("row", inner) if row]
    return Node("env", name[1].rstrip("*"), tuple(map(tuple, rows)))
