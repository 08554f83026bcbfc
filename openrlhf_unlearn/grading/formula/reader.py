r"""One formula, LaTeX or plain text, as a short list of nodes without anything that only lays it out.

    nodes(r"\textbf{x}\,=\,\dfrac{1}2")   # let x, rel =, frac [num 1] [num 2]

Every character becomes a node or is a known piece of layout: nothing is dropped that could change a value, which is how
a hedge ("3 or 4", "3 is wrong") would pass. One pass over the text; what is open at its end is an error.
"""

import re
from functools import lru_cache

from openrlhf_unlearn.grading.formula.clean import cleaned
from openrlhf_unlearn.grading.formula.commands import command
from openrlhf_unlearn.grading.formula.finish import finished, parts_at
from openrlhf_unlearn.grading.formula.letters import RUN, letters
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes, Unreadable
from openrlhf_unlearn.grading.formula.numerals import PLAIN, number_at
from openrlhf_unlearn.grading.formula.signs import sign_at
from openrlhf_unlearn.grading.formula.units import UNITS

_TEN = re.compile(r"\s{0,3}10\s{0,3}(?:\^|\*\*)")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_NUMERAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ROOT_OR_PI = re.compile(r"(?:sqrt|pi)(?![a-z])")
_CALLS = ("factorial", "binomial", "comb")
_GOES_ON = re.compile(r"\s{0,3}[A-Za-z0-9({\\^_]")  # a variable's or function's name does
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0400-\u04ff\u0590-\u06ff]+")
_MAX_TEXTS = 20  # \text within \text: each is read again
_QUOTES = str.maketrans("“”", '""')
_SPACE = Node("space", " ")


@lru_cache(maxsize=256)
def nodes(text: str) -> Nodes:
    """Raises Unreadable, or RecursionError for what is nested a thousand deep."""
    text = cleaned(_unquoted(text.strip().translate(_QUOTES)))
    if text.count("\\(") != text.count("\\)") or text.replace("\\\\[", "").count("\\[") != text.count("\\]"):
        raise Unreadable("a formula's delimiter without the other one")
    return Reader(text).whole()


def _unquoted(text: str) -> str:
    """Without the quotes or Markdown around the whole."""
    for mark in ("**", "*", '"', "'", "`", "__"):
        inside = text[len(mark) : -len(mark)]
        if text.startswith(mark) and text.endswith(mark) and mark not in inside and text.strip(mark):
            return _unquoted(inside.strip())
    return text


class Reader:
    """Recursive descent; `at` is the next character, `depth` the number of open brackets."""

    def __init__(self, text: str, in_text: bool = False, level: int = 0):
        self.text, self.at, self.in_text, self.depth, self.level = text, 0, in_text, 0, level
        if level > _MAX_TEXTS:
            raise Unreadable("texts nested too deep")

    def whole(self) -> Nodes:
        found = self.sequence("")
        if self.at < len(self.text):
            raise Unreadable("a closing brace without its opening one")
        return found

    def nested(self, text: str, in_text: bool = False) -> Nodes:
        return Reader(text, in_text, self.level + 1).whole()

    def sequence(self, end: str) -> Nodes:
        """Nodes up to the closing `end`, which is read too; "" is the end of the text."""
        out: list[Node] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "}" and end != "}":
                break
            if end and char == end[0] and self.text.startswith(end, self.at):
                self.at += len(end)
                return finished(out)
            out.extend(self.next(out))
        if end:
            raise Unreadable("an opening brace without its closing one")
        return finished(out)

    def next(self, before: list[Node]) -> list[Node]:
        """The nodes of what stands next."""
        text, char = self.text, self.text[self.at]
        if char.isspace() or char in "~$`":
            self.at += 1
            return [] if char in "$`" else [_SPACE]
        if char.isdigit() and char.isascii() or char == "." and PLAIN.match(text, self.at):
            self.at, number = number_at(text, self.at, commas=self.depth == 0)
            return number
        if char.isascii() and char.isalpha():
            return self.word(before)
        if char == "\\":
            return command(self, before)
        if char == "{":
            return list(self.group())
        if found := _CJK.match(text, self.at):
            self.at = found.end()
            return [Node("word", found[0])]
        if char in "^_" or text.startswith("**", self.at):  # x**2
            self.at += 1 if char in "^_" else 2
            return [Node("sub" if char == "_" else "sup", "_" if char == "_" else "^", (self.argument(script=True),))]
        if char in "([)]":
            self.at += 1
            self.depth = self.depth + 1 if char in "([" else max(self.depth - 1, 0)
            return [Node("open" if char in "([" else "close", char)]
        self.at, sign = sign_at(text, self.at)
        return [sign]

    def group(self) -> Nodes:
        """What stands in the braces that open here."""
        self.at += 1
        outside, self.depth = self.depth, 0
        inner = self.sequence("}")
        self.depth = outside
        return inner

    def word(self, before: list[Node]) -> list[Node]:
        found = RUN.match(self.text, self.at)
        assert found, "a letter stands there"
        run, self.at = found[0], found.end()
        if run.lower() in ("or", "and"):
            return [Node("conj", run.lower())]
        if self.in_text:
            return [Node("word", run)]
        last = next((node.kind for node in reversed(before) if node.kind != "space"), "")
        if run == "x" and last == "num" and _TEN.match(self.text, self.at):
            return [Node("op", "*")]  # 1.5 x 10^3
        if run in ("sqrt", "abs") or run in _CALLS and self.text.startswith("(", self.at):
            return self.plain_call(run)
        if len(run) > 1 and run in UNITS and last == "num" and not _GOES_ON.match(self.text, self.at):
            return [Node("word", run)]  # 5 min, 3 sec
        return letters(run, last)

    def plain_call(self, name: str) -> list[Node]:
        """sqrt(3), sqrt 3, abs(x), factorial(5), comb(5,2) of plain text."""
        while self.text.startswith(" ", self.at):
            self.at += 1
        if self.at >= len(self.text) or name == "abs" and self.text[self.at] != "(":
            return [Node("word", name)]
        inner = self.argument(script=True)
        if name == "abs":
            return [Node("bar", "|"), *inner, Node("bar", "|")]
        if name == "factorial":
            return [Node("open", "("), *inner, Node("close", ")"), Node("op", "!")]
        if name == "sqrt":
            return [Node("sqrt", "sqrt", ((), inner))]
        parts = parts_at("sep", inner)
        return [Node("binom", "binom", tuple(parts))] if len(parts) == 2 else [Node("word", name), *inner]

    def argument(self, script: bool = False) -> Nodes:
        """What TeX takes for a command's argument; for a script or root also (…), -1 and 10 of plain text."""
        char = self.first_of_argument()
        if char == "{":
            return self.group()
        if char.isdigit() and char.isascii():
            found = _NUMERAL.match(self.text, self.at) if script else None
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
            if script and (found := _ROOT_OR_PI.match(self.text, self.at)):
                self.at = found.end()
                return tuple(self.plain_call("sqrt")) if found[0] == "sqrt" else (Node("sym", "pi"),)
            self.at += 1
            return (Node("let", char),)
        return tuple(node for node in self.next([]) if node.kind != "space")

    def first_of_argument(self) -> str:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        if self.at >= len(self.text):
            raise Unreadable("a command without its argument")
        return self.text[self.at]

    def parenthesised(self) -> Nodes:
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
        return finished(out[:-1])

    def raw_argument(self) -> str:
        """The text of an argument, unread."""
        if self.first_of_argument() != "{":
            self.at += 1
            return self.text[self.at - 1]
        start, depth = self.at + 1, 0
        for found in _BRACES.finditer(self.text, self.at):
            depth += (found[0] == "{") - (found[0] == "}")
            if depth == 0:
                self.at = found.end()
                return self.text[start : found.start()]
        raise Unreadable("an opening brace without its closing one")
