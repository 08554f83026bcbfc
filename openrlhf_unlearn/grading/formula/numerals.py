"""A number as it is written: with thousands, decimals and a power of ten."""

import re

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes

PLAIN = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?")
_GAP = r"(?:\\[,;:! ]|\{,\}|(?:\\!)?,\\! ?|\\!,|\\thinspace|\\text\{,\}|~| )"
_SPACED = re.compile(rf"[1-9][0-9]{{0,2}}(?:{_GAP}[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?")
_SCIENTIFIC = re.compile(r"[eE][+-]?[0-9]{1,4}(?![0-9.A-Za-z])")


def number_at(text: str, at: int, commas: bool) -> tuple[int, list[Node]]:
    """(the end, the nodes) of the number that stands there. commas: whether they may part thousands."""
    found = (commas and _THOUSANDS.match(text, at)) or _SPACED.match(text, at) or PLAIN.match(text, at)
    assert found, "a digit or a point with digits stands there"
    out, end = [Node("num", re.sub(r"[^0-9.]", "", found[0]))], found.end()
    if exponent := _SCIENTIFIC.match(text, end):
        end = exponent.end()
        out += [Node("op", "*"), Node("num", "10"), Node("sup", "^", (_power(exponent[0][1:]),))]
    return end, out


def _power(exponent: str) -> Nodes:
    digits = Node("num", str(int(exponent.lstrip("+-"))))
    return (Node("op", "-"), digits) if exponent.startswith("-") else (digits,)
