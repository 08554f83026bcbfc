"""An expression with or without a unit."""

from openrlhf_unlearn.grading.classify.shapes import Quantity, Row, Words
from openrlhf_unlearn.grading.classify.split import closes
from openrlhf_unlearn.grading.classify.unit import unit
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes
from openrlhf_unlearn.grading.formula.units import AFTER_UNIT, MONEY, SCALES, unit_of


def quantity(found: Nodes) -> Quantity | Row | Words:
    """An expression with or without a unit; Words if anything in it is a word."""
    if compound := _compound(found):
        return compound
    found = _scaled(_in_round_brackets(found))
    if money := _money(found):
        body, name = money
    elif found[-1].kind == "pct":
        body, name = found[:-1], "%"
    else:
        body, name = unit(found)
    body = _without_parentheses(body)
    if not body or not readable(body):
        return Words(found)
    return Quantity(body, name)


def _money(found: Nodes) -> tuple[Nodes, str | None] | None:
    """The amount and currency of $5, -$5, Rs. 5, $5 USD, $5 each, $5 per person."""
    sign = found[:1] if found[0].text in ("-", "+") else ()
    coin, rest = found[len(sign) : len(sign) + 1], found[len(sign) + 1 :]
    if not coin or not rest or coin[0].kind != "word" or coin[0].text not in MONEY:
        return None
    name = unit_of([coin[0].text])
    rest = rest[1:] if rest[0] == Node("mark", ".") else rest
    first = next((i for i, node in enumerate(rest) if node.kind == "word"), len(rest))
    said = [node.text if node.kind == "word" else "?" for node in rest[first:]]
    per = len(said) == 2 and said[0] == "per"
    alone = per or set(said) <= AFTER_UNIT or unit_of(said) == name
    return (*sign, *(rest[:first] if alone else rest)), name


def _in_round_brackets(found: Nodes) -> Nodes:
    """max{3,5} as max(3,5)."""
    if not any(node.kind == "fn" and node.text in ("min", "max", "gcd", "lcm") for node in found):
        return found
    return tuple(_ROUND.get(node, node) for node in found)


_ROUND = {Node("open", "{"): Node("open", "("), Node("close", "}"): Node("close", ")")}


def _scaled(found: Nodes) -> Nodes:
    """1.2 million as a product."""
    at = next((i for i, node in enumerate(found) if node.kind == "word" and node.text.casefold() in SCALES), 0)
    if not at or found[at - 1].kind != "num":
        return found
    power = Node("sup", "^", ((Node("num", str(SCALES[found[at].text.casefold()])),),))
    return (*found[:at], Node("op", "*"), Node("num", "10"), power, *found[at + 1 :])


def _compound(found: Nodes) -> Row | None:
    """2 hours 30 minutes: quantities in the order of their units."""
    starts = [i for i, node in enumerate(found) if node.kind == "num" and (not i or found[i - 1].kind == "word")]
    if len(starts) < 2 or starts[0] != 0 or any(node.kind not in ("num", "word") for node in found):
        return None
    parts = [unit(found[a:b]) for a, b in zip(starts, [*starts[1:], len(found)], strict=True)]
    return Row(tuple(Quantity(*part) for part in parts), "units") if all(name for _, name in parts) else None


def _without_parentheses(found: Nodes) -> Nodes:
    while (
        len(found) > 2
        and found[0] == Node("open", "(")
        and found[-1].kind == "close"
        and closes(found) == len(found) - 1
    ):
        found = found[1:-1]
    return found


_KNOWN = {"num", "let", "fn", "op", "sup", "sub", "frac", "sqrt", "binom", "bar", "open", "close", "sym", "deg",
"prime",
          "accent", "pct", "sep", "circ"}  # fmt: skip


def readable(found: Nodes) -> bool:
    """Whether nothing but mathematics is in it, at any depth: no word, no two numbers side by side, brackets closed."""
    depth = 0
    analysis = any(
        node.kind == "sym" and node.text in ("sum", "prod", "int") or node == Node("fn", "lim") for node in found
    )
    for i, node in enumerate(found):
        if node.kind not in _KNOWN and not (analysis and node.kind in ("rel",)):
            return False
        if node.kind == "num" and i and found[i - 1].kind == "num":
            return False
        if node.kind == "open" and node.text in ("{", "<"):
            return False
        if node.kind == "pct" and i + 1 < len(found) and found[i + 1].kind != "op":
            return False
        depth += (node.kind == "open") - (node.kind == "close")
        if depth < 0:
            return False
        inside_allowed = analysis or node.kind in ("sub", "sym")
        for arg in node.args:
            if node.kind in ("sub", "accent", "sym"):
                continue  # a name
            if not (all(n.kind in _KNOWN or n.kind == "rel" for n in arg) if inside_allowed else readable(arg)):
                return False
            if not arg and node.kind in ("frac", "binom", "sup"):
                return False
    return depth == 0
