"""The number that a text plainly is, exactly; no parser is asked."""

from fractions import Fraction
from functools import lru_cache

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes

PLACES = 6  # decimal places from which on a decimal may stand for an irrational or repeating number
MAX_DIGITS = 4_000


@lru_cache(maxsize=1024)
def number(nodes: Nodes) -> Fraction | None:
    """An integer, decimal, fraction, mixed number or power of ten times one, with its sign; None if it is none."""
    sign = 1
    while nodes and nodes[0].kind == "op" and nodes[0].text in "+-":
        sign, nodes = (-sign if nodes[0].text == "-" else sign), nodes[1:]
    value = _unsigned(nodes)
    return None if value is None else sign * value


def _unsigned(nodes: Nodes) -> Fraction | None:
    if len(nodes) == 1:
        return _single(nodes[0])
    kinds = [node.kind for node in nodes]
    if kinds == ["num", "frac"] and nodes[0].text.isdigit():
        part = _single(nodes[1])
        return int(nodes[0].text) + part if part is not None and 0 < part < 1 else None
    if kinds[-3:] == ["num", "op", "num"] and nodes[-2].text == "/":
        top = _unsigned(nodes[:-2])
        bottom = _single(nodes[-1])
        return top / bottom if len(nodes) == 3 and top is not None and bottom else None
    if len(nodes) == 4 and kinds == ["num", "op", "num", "sup"] and nodes[1].text == "*" and nodes[2].text == "10":
        factor, power = _single(nodes[0]), number(nodes[3].args[0])
        if factor is not None and power is not None and power.denominator == 1 and abs(power) < 300:
            return factor * Fraction(10) ** int(power)
    return None


def _single(node: Node) -> Fraction | None:
    if node.kind == "num":
        return Fraction(node.text) if len(node.text) < MAX_DIGITS else None
    if node.kind == "frac":
        top, bottom = (number(arg) for arg in node.args)
        return top / bottom if top is not None and bottom else None
    return None


def is_decimal(nodes: Nodes) -> bool:
    return any(node.kind == "num" and "." in node.text for node in nodes)


def places(nodes: Nodes) -> int:
    """Digits after the point of a plain decimal."""
    return len(next((node.text for node in nodes if node.kind == "num"), "").partition(".")[2])


def rounded(decimal: Nodes, value: Fraction, other: Fraction) -> bool:
    """0.333333 for 1/3: a decimal of at least six places, rounded or cut off, for a number that has no end."""
    if not is_decimal(decimal) or len(decimal) > 2 or _ends(other):
        return False
    return places(decimal) >= PLACES and abs(value - other) < Fraction(1, 10 ** places(decimal))


def _ends(value: Fraction) -> bool:
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
