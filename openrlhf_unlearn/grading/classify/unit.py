"""The unit after an expression."""

from openrlhf_unlearn.grading.formula.nodes import Node, Nodes, writing_of
from openrlhf_unlearn.grading.formula.units import unit_of


def unit(found: Nodes) -> tuple[Nodes, str | None]:
    """The expression and the unit after it: words, °, ' and what joins them, "m/s", "cm^2"."""
    if degrees := _degrees(found):
        return degrees, "deg"
    if (rate := _rate(found)) is not None:
        return rate
    first = next((i for i, node in enumerate(found) if node.kind == "word" or node.kind == "deg"), None)
    if not first:
        return found, None
    enclosed = found[first - 1].kind == "open" and found[-1].kind == "close"  # 7 (units)
    body, said = (found[: first - 1], found[first:-1]) if enclosed else (found[:first], found[first:])
    words = [unit_word(node) or "" for node in said if node != Node("mark", ".")]  # "sq. units"
    name = unit_of(words) if all(words) else None
    of_function = name == "deg" and found[first].kind == "deg" and any(node.kind == "fn" for node in found[:first])
    return (found, None) if name is None or of_function or not body else (body, name)


_RATES = {"m / s": "m/s", "m / s ^{2}": "m/s^2", "k m / h": "km/h", "f t / s": "ft/s", "g / L": "g/l", "m / h": "m/h"}


def _rate(found: Nodes) -> tuple[Nodes, str] | None:
    """3 m/s, whose letters could be variables, too: only a few are taken for units."""
    first = next((i for i, node in enumerate(found) if node.kind == "let"), None)
    if not first or found[first - 1].kind != "num":
        return None
    if found[first].text == "\\mu" and len(found) == first + 2 and found[-1].kind == "word":  # \mu\text{m}
        name = unit_of([found[-1].text])
        return (found[:first], f"micro{name}") if name else None
    rate = _RATES.get(writing_of(found[first:]))
    return (found[:first], rate) if rate else None


def unit_word(node: Node) -> str | None:
    if node.kind == "word":
        return "degree" if node.text == "o" else node.text
    if node.kind == "deg":
        return "degree"
    if node.kind == "op" and node.text in "/*":
        return node.text if node.text == "/" else "·"
    if node.kind == "sup" and all(inner.kind in ("num", "op") for inner in node.args[0]):
        return "^" + "".join(inner.text for inner in node.args[0])
    if node.kind == "let" and len(node.text) == 1:
        return node.text
    return None


def _degrees(found: Nodes) -> Nodes | None:
    """30° 15' 20'' as one fraction of degrees."""
    kinds = [node.kind for node in found]
    if kinds[:4] == ["num", "deg", "num", "prime"] and kinds[4:] in ([], ["num", "prime", "prime"]):
        whole, minutes = found[0].text, found[2].text
        seconds = found[4].text if len(found) > 4 else "0"
        plus = Node("op", "+")
        parts = [
            Node("frac", "frac", ((Node("num", n),), (Node("num", d),)))
            for n, d in ((minutes, "60"), (seconds, "3600"))
        ]
        return (Node("num", whole), plus, parts[0], plus, parts[1])
    return None
