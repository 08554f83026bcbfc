"""An expression with or without a unit."""

from openrlhf_unlearn.grading.classify.shapes import Quantity, Row, Words
from openrlhf_unlearn.grading.classify.split import closes
from openrlhf_unlearn.grading.classify.unit import unit
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes
from openrlhf_unlearn.grading.formula.units import SCALES, unit_of


def quantity(found: Nodes) -> Quantity | Row | Words:
    """An expression with or without a unit; Words if anything in it is a word."""
    if compound := _compound(found):
        return compound
    found = _scaled(found)
    if found[0].kind == "word" and found[0].text in ("$", "€", "£", "¥", "₹", "USD", "EUR", "GBP", "RMB"):
        body, name = found[1:], unit_of([found[0].text])
    elif found[-1].kind == "pct":
        body, name = found[:-1], "%"
    else:
        body, name = unit(found)
    body = _without_parentheses(body)
    if not body or not readable(body):
        return Words(found)
    return Quantity(body, name)


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
