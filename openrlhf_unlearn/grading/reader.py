r"""Normalise: one formula, LaTeX or plain text, as a short list of nodes without anything that only lays it out.

    nodes(r"\textbf{x}\,=\,\dfrac{1}2")   # let x, rel =, frac [num 1] [num 2]

Every character becomes a node or is a known piece of layout: nothing is dropped that could change a value, which is how
a hedge ("3 or 4", "3 is wrong") would pass. One pass over the text; what is open at its end is an error.
"""

import re
from functools import lru_cache

from openrlhf_unlearn.grading.clean import cleaned
from openrlhf_unlearn.grading.nodes import Node, Unreadable
from openrlhf_unlearn.grading.symbols import (
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
    PLAIN,
    RELATIONS,
    RENAMED,
    SETS,
    SHOWN,
    TEXTS,
    UNITS_2,
    WORDS,
)
from openrlhf_unlearn.grading.units import UNITS

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?")
_GAP = r"(?:\\[,;:! ]|\{,\}|\\!,\\!|,\\!|\\!,|\\thinspace|~| )"
_SPACED = re.compile(rf"[1-9][0-9]{{0,2}}(?:{_GAP}[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?")
_SCIENTIFIC = re.compile(r"[eE][+-]?[0-9]{1,4}(?![0-9.A-Za-z])")
_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]{2,})*")
_TEN = re.compile(r"\s{0,3}10\s{0,3}(?:\^|\*\*)")
_COMMAND = re.compile(r"\\([A-Za-z]+\*?|.)", re.DOTALL)
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_MAX_TEXTS = 20  # \text within \text: each is read again
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0400-\u04ff\u0590-\u06ff]+")
_ENV_NAME = re.compile(r"\s*\{([A-Za-z]+\*?)\}")
_OPTIONS = re.compile(r"\s*\[([^\[\]]*)\]")
_COLUMNS = re.compile(r"\s*\{[lcr|@{} ]*\}")


_UNIT_VECTORS = {name: Node("accent", "vec", ((Node("let", name[-1]),),)) for name in ("i", "j", "k")}


@lru_cache(maxsize=256)
def nodes(text: str) -> tuple[Node, ...]:
    """Raises Unreadable, or RecursionError for what is nested a thousand deep."""
    text = cleaned(_unquoted(text.strip()))
    if text.count("\\(") != text.count("\\)") or text.replace("\\\\[", "").count("\\[") != text.count("\\]"):
        raise Unreadable("a formula's delimiter without the other one")
    return _Reader(text).whole()


def _unquoted(text: str) -> str:
    """Without the quotes or Markdown around the whole."""
    for mark in ("**", "*", '"', "'", "`", "__"):
        if (
            text.startswith(mark)
            and text.endswith(mark)
            and mark not in text[len(mark) : -len(mark)]
            and text.strip(mark)
        ):
            return _unquoted(text[len(mark) : -len(mark)].strip())
    return text


class _Reader:
    """Recursive descent; `at` is the next character, `depth` the number of open brackets."""

    def __init__(self, text: str, in_text: bool = False, level: int = 0):
        self.text, self.at, self.in_text, self.depth, self.level = text, 0, in_text, 0, level
        if level > _MAX_TEXTS:
            raise Unreadable("texts nested too deep")

    def whole(self) -> tuple[Node, ...]:
        found = self.sequence("")
        if self.at < len(self.text):
            raise Unreadable("a closing brace without its opening one")
        return found

    def sequence(self, end: str) -> tuple[Node, ...]:
        """Nodes up to the closing `end`, which is read too; "" is the end of the text."""
        out: list[Node] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "}":
                if end != "}":
                    break
                self.at += 1
                return _finished(out)
            if end == "]" and char == "]" and self.depth == 0:
                self.at += 1
                return _finished(out)
            if char == "\\" and end.startswith("\\") and self.text.startswith(end, self.at):
                self.at += len(end)
                return _finished(out)
            out.extend(self.next(out))
        if end:
            raise Unreadable("an opening brace without its closing one")
        return _finished(out)

    def next(self, before: list[Node]) -> list[Node]:
        text, char = self.text, self.text[self.at]
        if char.isspace() or char in "~$`":
            self.at += 1
            return [Node("space", " ")] if char != "$" and char != "`" else []
        if char.isdigit() and char.isascii() or char == "." and _NUMBER.match(text, self.at):
            return self.number()
        if char.isascii() and char.isalpha():
            return self.word(before)
        if char == "\\":
            return self.command(before)
        if char == "{":
            self.at += 1
            return self.group()
        if found := _CJK.match(text, self.at):
            self.at = found.end()
            return [Node("word", found[0])]
        self.at += 1
        return self.sign(char)

    def group(self) -> list[Node]:
        outside, self.depth = self.depth, 0
        inner = self.sequence("}")
        self.depth = outside
        return list(inner)

    def sign(self, char: str) -> list[Node]:
        if char in "^_":
            return [Node("sup" if char == "^" else "sub", char, (self.argument(script=True),))]
        if char == "*" and self.text.startswith("*", self.at):  # x**2
            self.at += 1
            return [Node("sup", "^", (self.argument(script=True),))]
        if char in "<>!" and self.text.startswith("=", self.at):
            self.at += 1
            return [Node("rel", char + "=")]
        if char in RELATIONS:
            return [Node("rel", RELATIONS[char])]
        if char in "+-*/!":
            return [Node("op", char)]
        if char in "([":
            self.depth += 1
            return [Node("open", char)]
        if char in ")]":
            self.depth = max(self.depth - 1, 0)
            return [Node("close", char)]
        kinds = {",": "sep", ";": "sep", "|": "bar", "'": "prime", "%": "pct", ":": "colon", "&": "amp"}
        if char == "." and self.text.startswith("..", self.at):
            self.at += 2
            return [Node("dots", "...")]
        if char in "€£¥₹":
            return [Node("word", char)]
        return [Node(kinds.get(char, "mark"), char)]

    def number(self) -> list[Node]:
        text, at = self.text, self.at
        found = (self.depth == 0 and _THOUSANDS.match(text, at)) or _SPACED.match(text, at)
        if not found:
            found = _NUMBER.match(text, at)
        self.at = found.end()
        digits = re.sub(r"[^0-9.]", "", found[0])
        out = [Node("num", digits)]
        if exponent := _SCIENTIFIC.match(text, self.at):
            self.at = exponent.end()
            ten = Node("sup", "^", (_power(exponent[0][1:]),))
            out += [Node("op", "*"), Node("num", "10"), ten]
        return out

    def word(self, before: list[Node]) -> list[Node]:
        found = _WORD.match(self.text, self.at)
        run, self.at = found[0], found.end()
        if run.lower() in ("or", "and"):
            return [Node("conj", run.lower())]
        if self.in_text:
            return [Node("word", run)]
        if run == "x" and before and _last_kind(before) == "num" and _TEN.match(self.text, self.at):
            return [Node("op", "*")]  # 1.5 x 10^3
        name = RENAMED.get(run, run)
        if "-" not in run:
            if run == "sqrt" or run == "abs":
                return self.plain_call(run)
            if name in FUNCTIONS and len(name) > 1:
                return [Node("fn", name)]
            if run in PLAIN:
                return [Node("sym", PLAIN[run])]
            if run in GREEK and run not in ("ell", "eta", "mu", "nu", "xi"):
                return [Node("let", f"\\{run}")]
            after_number = _last_kind(before) in ("num", "frac", "op", "close", "sqrt")
            if is_product(run, after_number):
                return [Node("let", letter) for letter in run]
        return [Node("word", run)]

    def plain_call(self, name: str) -> list[Node]:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1
        if self.at >= len(self.text):
            return [Node("word", name)]
        if self.text[self.at] != "(" and name == "abs":
            return [Node("word", name)]
        inner = self.argument(script=True)
        if name == "abs":
            return [Node("bar", "|"), *inner, Node("bar", "|")]
        return [Node("sqrt", "sqrt", ((), inner))]

    def argument(self, script: bool = False) -> tuple[Node, ...]:
        """What TeX takes for a command's argument; for a script or root also (…), -1 and 10 of plain text."""
        text = self.text
        while self.at < len(text) and text[self.at].isspace():
            self.at += 1
        if self.at >= len(text):
            raise Unreadable("a command without its argument")
        char = text[self.at]
        if char == "{":
            self.at += 1
            return tuple(self.group())
        if char.isdigit() and char.isascii():
            found = re.compile(r"[0-9]+(?:\.[0-9]+)?").match(text, self.at) if script else None
            digits = found[0] if found else char
            self.at += len(digits)
            return (Node("num", digits),)
        if script and char in "+-":
            self.at += 1
            return (Node("op", char), *self.argument(script=True))
        if script and char == "(":
            return self.parenthesised()
        if char in "}&^_)]":
            raise Unreadable("a command without its argument")
        if char.isascii() and char.isalpha():
            if script and (found := re.compile("(?:sqrt|pi)(?![a-z])").match(text, self.at)):
                self.at = found.end()
                return tuple(self.plain_call("sqrt")) if found[0] == "sqrt" else (Node("sym", "pi"),)
            self.at += 1
            return (Node("let", char),)
        return tuple(node for node in self.next([]) if node.kind != "space")

    def parenthesised(self) -> tuple[Node, ...]:
        """(…), without its parentheses."""
        self.at += 1
        outside, self.depth = self.depth, 1
        out: list[Node] = []
        while self.depth:
            if self.at >= len(self.text) or self.text[self.at] == "}":
                raise Unreadable("an opening parenthesis without its closing one")
            out.extend(self.next(out))
        self.depth = outside
        if out[-1] != Node("close", ")"):
            raise Unreadable("a parenthesis closed by another bracket")
        return _finished(out[:-1])

    def command(self, before: list[Node]) -> list[Node]:
        found = _COMMAND.match(self.text, self.at)
        if not found:  # "5\\ " without its space
            self.at += 1
            return []
        name, self.at = found[1], found.end()
        if name in LAYOUT or name == " ":
            if name in ("left", "right") and self.text[self.at : self.at + 1] == ".":
                self.at += 1
            return [Node("space", " ")]
        if name in DROPPED:
            self.argument()
            return []
        if name in ("textcolor", "colorbox"):
            self.argument()
            return list(self.argument())
        if name in SHOWN:
            return list(self.argument())
        if name in TEXTS:
            return self.texts()
        if name in FONTS:
            return self.fonts(before, bold=name not in ("mathrm", "mathit", "operatorname", "rm"))
        if name in ("(", ")", "[", "]"):  # delimiters of a formula
            return [Node("space", " ")]
        if name in ("$", "pounds"):
            return [Node("word", "$" if name == "$" else "£")]
        if name in ("%", "textpercent"):
            return [Node("pct", "%")]
        if name in BRACKETS:
            return self.bracket(BRACKETS[name])
        return self.mathematics(name)

    def bracket(self, text: str) -> list[Node]:
        opens = text in "{<|_|^" and text in ("{", "<", "|_", "|^")
        self.depth = max(self.depth + (1 if opens else -1), 0)
        return [Node("open" if opens else "close", text)]

    def mathematics(self, name: str) -> list[Node]:
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            return [Node("frac", "frac", (self.argument(), self.argument()))]
        if name in ("binom", "dbinom", "tbinom"):
            return [Node("binom", "binom", (self.argument(), self.argument()))]
        if name == "sqrt":
            index = _OPTIONS.match(self.text, self.at)
            self.at = index.end() if index else self.at
            return [Node("sqrt", "sqrt", (nodes(index[1]) if index else (), self.argument(script=True)))]
        if name in ("pmod", "bmod", "mod"):
            modulus = self.argument(script=True) if name == "pmod" else ()
            return [Node("mod", name if name != "mod" else "bmod", (modulus,))]
        if name == "begin":
            return self.environment()
        if name in RELATIONS:
            return [Node("rel", RELATIONS[name])]
        if name in SETS:
            return [Node("set", SETS[name])]
        if name in ACCENTS:
            inside = self.argument()
            vector = (
                _UNIT_VECTORS.get(inside[0].text)
                if len(inside) == 1 and name in ("hat", "vec", "overrightarrow")
                else None
            )
            return [vector or Node("accent", name, (inside,))]
        if name == "mathbb" or name == "mathcal" or name == "Bbb":
            return [Node("sym", "bb", (self.argument(),))]
        if name in ("R", "Z", "N", "Q", "reals"):
            return [Node("sym", "bb", ((Node("let", "R" if name == "reals" else name),),))]
        operators = {"cdot": "*", "times": "*", "div": "/", "ast": "*", "over": "over", "choose": "choose"}
        kinds = {"pm": "pm", "mp": "mp", "degree": "deg", "circ": "circ", "prime": "prime", "colon": "colon",
                 "mid": "bar", "vert": "bar", "lvert": "bar", "rvert": "bar", "\\": "row", "&": "amp"}  # fmt: skip
        if name in operators:
            return [Node("op", operators[name])]
        if name in kinds:
            return [Node(kinds[name], "|" if kinds[name] == "bar" else name)]
        if name in DOTS:
            return [Node("dots", "...")]
        if RENAMED.get(name, name) in FUNCTIONS:
            if name == "lg":
                return [Node("fn", "log"), Node("sub", "_", ((Node("num", "10"),),))]
            return [Node("fn", RENAMED.get(name, name))]
        if name in GREEK:
            return [Node("let", {"varphi": r"\phi", "varepsilon": r"\epsilon"}.get(name, f"\\{name}"))]
        if name in ("imath", "jmath"):
            return [Node("let", name[0])]
        if name in ("pi", "infty", "emptyset", "varnothing", "sum", "prod", "int"):
            return [Node("sym", "emptyset" if name == "varnothing" else name)]
        if name in LEADS:
            return [Node("lead", name)]
        if name in ("land", "wedge") or name in ("lor", "vee"):
            return [Node("cmd", name)]
        return [Node("cmd", name)]

    def texts(self) -> list[Node]:
        """\\text{…}: words, and whatever formula stands among them."""
        inside = self.raw_argument()
        found = _Reader(inside, not ("$" in inside or _is_formula(inside)), self.level + 1).whole()
        return [Node("space", " "), *found, Node("space", " ")]

    def fonts(self, before: list[Node], bold: bool) -> list[Node]:
        """\\mathrm{cm} is a word, \\mathrm{lcm} a function, \\mathbf{x} a letter, \\mathrm{m} a unit after a number."""
        inside = self.raw_argument()
        name = inside.strip("~ ")
        if name in FUNCTIONS:
            return [Node("fn", name)]
        if bold and name in _UNIT_VECTORS:
            return [_UNIT_VECTORS[name]]
        runs = re.findall(r"(?<![\\\\A-Za-z])[A-Za-z]+", inside)
        after_number = any(node.kind in ("num", "frac", "sqrt") for node in before)
        unit = after_number and runs and all(run in UNITS and run not in "ei" for run in runs)
        word = name.isalpha() and len(name) > 1 and not _plain_letters(name)
        return list(_Reader(inside, bool(unit or word), self.level + 1).whole())

    def raw_argument(self) -> str:
        text = self.text
        while self.at < len(text) and text[self.at].isspace():
            self.at += 1
        if self.at >= len(text):
            raise Unreadable("a command without its argument")
        if text[self.at] != "{":
            self.at += 1
            return text[self.at - 1]
        start, depth = self.at + 1, 0
        for found in _BRACES.finditer(text, self.at):
            depth += (found[0] == "{") - (found[0] == "}")
            if depth == 0:
                self.at = found.end()
                return text[start : found.start()]
        raise Unreadable("an opening brace without its closing one")

    def environment(self) -> list[Node]:
        """A matrix, cases or array: kind env, its name, and a tuple of nodes for each cell; "row" ends a row."""
        name = _ENV_NAME.match(self.text, self.at)
        if not name or name[1] not in ENVIRONMENTS:
            raise Unreadable("an unknown environment")
        self.at = name.end()
        if name[1] == "array" and (columns := _COLUMNS.match(self.text, self.at)):
            self.at = columns.end()
        outside, self.depth = self.depth, 1  # no thousands among cells
        inner = self.sequence(rf"\end{{{name[1]}}}")
        self.depth = outside
        rows = [_split(row, "amp") for row in _split(inner, "row") if row]
        return [Node("env", name[1].rstrip("*"), tuple(tuple(row) for row in rows))]


def _is_formula(text: str) -> bool:
    return "\\" in text or bool(text) and not any(char.isalpha() for char in text)


def _plain_letters(name: str) -> bool:
    return name.isupper() and len(name) < 3 and name != "NO"


def is_product(run: str, after_number: bool = False) -> bool:
    """Whether letters side by side are a product (ab, xyz, ABC) and no word (Amy, odd, cm after a number)."""
    if len(run) == 1:
        return True
    if run.lower() in WORDS or after_number and run in UNITS_2:
        return False
    if len(run) == 2:
        return True
    if run.isupper():
        return False  # a triangle, an angle, YES
    alphabetical = list(run) == sorted(set(run))
    vowel = any(char in "aeiouy" for char in run.lower()) and not alphabetical
    return not vowel and run.islower() and len(run) <= 5 and run not in ("kph", "mph", "rpm", "lbs", "hrs", "mins")


def _power(exponent: str) -> tuple[Node, ...]:
    digits = Node("num", str(int(exponent.lstrip("+-"))))
    return (Node("op", "-"), digits) if exponent.startswith("-") else (digits,)


def _last_kind(before: list[Node]) -> str:
    return next((node.kind for node in reversed(before) if node.kind != "space"), "")


def _split(found, kind: str) -> list[tuple[Node, ...]]:
    parts: list[list[Node]] = [[]]
    for node in found:
        if node.kind == kind:
            parts.append([])
        else:
            parts[-1].append(node)
    return [tuple(part) for part in parts]


def _finished(found: list[Node]) -> tuple[Node, ...]:
    r"""Spaces dropped but between digits, \over made a fraction, ^\circ a degree."""
    out: list[Node] = []
    for node in found:
        if node.kind == "space":
            continue
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


def _is_ring(node: Node, before: list[Node]) -> bool:
    """^\\circ, and ^o after a number."""
    return (
        node.kind in ("circ", "deg")
        or node.text == "o"
        and node.kind in ("let", "word")
        and bool(before)
        and before[-1].kind == "num"
    )
