r"""Classify: what kind of answer the nodes of a formula are.

    shape(r"x=1 \text{ or } x=2")   # Many of two Relations
    shape("12 cm")                  # Quantity, its unit "cm"

No mathematics happens here, and nothing can take long.
"""

from dataclasses import replace
from functools import lru_cache

from openrlhf_unlearn.grading.nodes import Node, writing_of
from openrlhf_unlearn.grading.reader import nodes
from openrlhf_unlearn.grading.shapes import (
    Based,
    Builder,
    Cases,
    Determinant,
    Joined,
    Many,
    Matrix,
    Nodes,
    Quantity,
    Ratio,
    Relation,
    Residue,
    Row,
    Words,
)
from openrlhf_unlearn.grading.units import SCALES, unit_of

_VERBS = {"is", "are", "equals", "be"}
_ANNOUNCING = {"answer", "ans", "option", "choice", "so", "thus", "hence", "therefore"}
_ADVERSE = {
    "not",
    "wrong",
    "incorrect",
    "never",
    "or",
    "no",
    "if",
    "unless",
    "except",
    "maybe",
    "perhaps",
    "least",
    "most",
}
_PREFIX = {"the", "final", "answer", "is", "are", "correct", "result", "value", "so", "thus", "hence", "therefore",
"solution",
           "solutions", "option", "choice", "ans", "answers"}  # fmt: skip
_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
          "ten": "10", "eleven": "11", "twelve": "12", "sixteen": "16"}  # fmt: skip
_INTEGERS = {"integer", "integers"}


@lru_cache(maxsize=256)
def shape(text: str):
    """Raises nodes.Unreadable for what is no formula."""
    return of(trimmed(nodes(text)))


def trimmed(found: Nodes) -> Nodes:
    """Without the end of a sentence, and without "the answer is", "Answer:", "=" and "⇒" before the answer."""
    found = _without_prefix(found)
    while found and (found[0].kind in ("lead", "sep") or found[0] in (Node("rel", "="), Node("rel", "~"))):
        found = found[1:]
    if found and found[-1] == Node("mark", "."):
        found = found[:-1]
    while found and found[-1].kind in ("sep", "colon", "row"):
        found = found[:-1]
    return found


def _without_prefix(found: Nodes) -> Nodes:
    """ "Total: 5", "the area is 5", "so 5" as 5: some words and a colon or verb; none of them may change what
    follows."""
    end = next((i for i, node in enumerate(found) if node.kind != "word"), len(found))
    said = [node.text.casefold() for node in found[:end]]
    if not said or end == len(found) or end > 8 or not _ADVERSE.isdisjoint(said):
        return found
    if found[end].kind == "colon":
        return found[end + 1 :] or found
    return found[end:] if said[-1] in _VERBS or set(said) <= _PREFIX and said[-1] in _ANNOUNCING else found


def of(found: Nodes):
    """The shape of some nodes."""
    if not found:
        return Words(())
    found = _mixed(found)
    family, found = _family(found)
    if family:
        return _with_family(of(found), family)
    for classify in (
        _turned_interval,
        _based,
        _clock,
        _many,
        _relation,
        _residue,
        _joined,
        _bracketed,
        _environment,
        _ratio,
    ):
        result = classify(found)
        if result is not None:
            return result
    return _quantity(found)


def _mixed(found: Nodes) -> Nodes:
    """5 1/2 as a mixed number, where it is all there is."""
    start = 1 if found[0] in (Node("op", "-"), Node("op", "+")) else 0
    if [node.kind for node in found[start : start + 4]] != ["num", "num", "op", "num"] or found[start + 2].text != "/":
        return found
    whole, top, _, bottom = found[start : start + 4]
    if not (whole.text.isdigit() and top.text.isdigit() and bottom.text.isdigit() and int(top.text) < int(bottom.text)):
        return found
    return (*found[:start], whole, Node("frac", "frac", ((top,), (bottom,))), *found[start + 4 :])


def split(found: Nodes, wanted) -> tuple[list[Nodes], list[Node]]:
    """The parts between the nodes that `wanted` picks outside all brackets, and those nodes."""
    parts: list[list[Node]] = [[]]
    marks, depth = [], 0
    for node in found:
        depth = max(depth + (node.kind == "open") - (node.kind == "close"), 0)
        if depth == 0 and wanted(node):
            parts.append([])
            marks.append(node)
        else:
            parts[-1].append(node)
    return [tuple(part) for part in parts], marks


def _family(found: Nodes) -> tuple[str | None, Nodes]:
    r"""(k, the rest) of "…, k \in \mathbb{Z}", "…, where k is an integer", "… (k \in Z)"."""
    if not any(_names_integers(node) for node in found):
        return None, found
    starts = [i for i, node in enumerate(found) if i and (node.kind in ("sep", "open") or node.kind == "word")]
    for i in starts:
        tail = [node for node in found[i:] if node.kind not in ("sep", "open", "close")]
        letters = {node.text for node in tail if node.kind == "let" and node.text not in ("Z", "N")}
        rest = all(
            node.kind == "let"
            or node == Node("rel", "in")
            or _names_integers(node)
            or node.kind in ("sup", "sub")  # the positive ones
            or node.kind == "word"
            and node.text.casefold() in {"where", "for", "any", "all", "is", "an", "some", "with", "every", "integer"}
            for node in tail
        )
        if rest and len(letters) == 1 and any(_names_integers(node) for node in tail):
            return letters.pop(), trimmed(found[:i])
    return None, found


def _names_integers(node: Node) -> bool:
    integers = (Node("let", "Z"), Node("let", "N"))
    return (
        node.kind == "word"
        and node.text.casefold() in _INTEGERS
        or node in integers
        or node.kind == "sym"
        and node.text == "bb"
        and node.args[0][:1] in ((integers[0],), (integers[1],))
    )


def _with_family(what, family: str):
    if isinstance(what, Quantity):
        return replace(what, family=family)
    if isinstance(what, Many):
        return replace(what, items=tuple(_with_family(item, family) for item in what.items))
    if isinstance(what, Relation):
        return replace(what, sides=(*what.sides[:-1], _with_family(what.sides[-1], family)))
    return what


def _based(found: Nodes) -> Based | None:
    """1347_8, (1347)_{(8)}, 1347_{\\text{eight}}."""
    if len(found) > 3 and found[0] == Node("open", "(") and found[-2] == Node("close", ")"):
        found = (*found[1:-2], found[-1])
    if len(found) < 2 or found[-1].kind != "sub" or any(node.kind not in ("num", "let") for node in found[:-1]):
        return None
    if found[0].kind != "num" and len(found) < 3:
        return None
    inner = tuple(node for node in found[-1].args[0] if node.kind not in ("open", "close"))
    named = _BASES.get(inner[0].text.casefold()) if len(inner) == 1 and inner[0].kind == "word" else None
    base = named or (inner[0].text if len(inner) == 1 and inner[0].kind == "num" else None)
    return Based("".join(node.text for node in found[:-1]), base) if base else None


def _clock(found: Nodes) -> Ratio | None:
    """10:30, 9:05 a.m., 11 pm."""
    parts, marks = split(found, lambda node: node.kind == "colon")
    letters = "".join(node.text for node in parts[-1][1:] if node.kind in ("let", "word", "mark")).casefold()
    half = letters.replace(".", "")
    if half not in ("", "am", "pm") or not all(part and part[0].kind == "num" for part in parts):
        return None
    if any(len(part) > 1 for part in parts[:-1]) or len(parts) > 3 or len(parts) == 1 and not half:
        return None
    if not half and len(parts[-1]) > 1 or any(node.kind not in ("num", "let", "word", "mark") for node in parts[-1]):
        return None
    numbers = [part[0].text for part in parts] + ["00"] * (len(parts) == 1)
    if not all(number.isdigit() for number in numbers) or not half and len(numbers[1]) != 2:
        return None
    return Ratio(tuple(int(number) for number in numbers), True, half) if len(numbers[1]) == 2 else None


def _many(found: Nodes) -> Many | None:
    separates = lambda node: node.kind == "sep" or node.kind == "conj"  # noqa: E731
    parts, marks = split(found, separates)
    if not marks:
        return _plus_minus(found)
    parts = [part for part in parts if part]  # "1, 2, and 3"
    kind = "or" if any(mark.text == "or" for mark in marks) else "list"
    if len(parts) == 1:
        return None
    items = tuple(of(part) for part in parts)
    return Many(_spread(items, "list"), kind)


def _spread(items: tuple, kind: str) -> tuple:
    """Items with the plus-minus ones as their two."""
    out: list = []
    for item in items:
        out += item.items if isinstance(item, Many) and item.kind == "pm" else [item]
    return tuple(out)


def _plus_minus(found: Nodes) -> Many | None:
    """x = 1 ± √2 as two."""
    if not any(node.kind in ("pm", "mp") for node in _all(found)) or _parts_equation(found):
        return None
    if any(node.kind in ("pm", "mp") and i and found[i - 1].kind in ("op", "pm", "mp") for i, node in enumerate(found)):
        return None  # -±3
    coupled = any(node.kind == "mp" for node in _all(found))
    variants = [_signed(found, True), _signed(found, False)] if coupled else _signs(found)
    if len(variants) > 16:
        return None
    items = tuple(of(variant) for variant in variants)
    return Many(items, "pm")


def _parts_equation(found: Nodes) -> bool:
    return any(node.kind == "env" for node in found)


def _all(found: Nodes):
    for node in found:
        yield node
        for arg in node.args if node.kind != "env" else ():
            yield from _all(arg)


def _signed(found: Nodes, upper: bool) -> Nodes:
    out = []
    for node in found:
        if node.kind in ("pm", "mp"):
            node = Node("op", "+" if (node.kind == "pm") == upper else "-")
        elif node.args and node.kind != "env":
            node = replace(node, args=tuple(_signed(arg, upper) for arg in node.args))
        out.append(node)
    return tuple(out)


def _signs(found: Nodes) -> list[Nodes]:
    """Every ± with either sign, at the top each for itself."""
    for i, node in enumerate(found):
        if node.kind == "pm":
            return [v for sign in "+-" for v in _signs((*found[:i], Node("op", sign), *found[i + 1 :]))][:17]
        if node.args and node.kind != "env" and any(inner.kind == "pm" for inner in _all((node,))):
            both = [replace(node, args=tuple(_signed(arg, upper) for arg in node.args)) for upper in (True, False)]
            return [v for one in both for v in _signs((*found[:i], one, *found[i + 1 :]))][:17]
    return [found]


def _relation(found: Nodes) -> Relation | None:
    parts, marks = split(found, lambda node: node.kind == "rel")
    if not marks or not all(parts):
        return Words(found) if marks else None
    return Relation(tuple(of(part) for part in parts), tuple(mark.text for mark in marks))


def _residue(found: Nodes) -> Residue | None:
    r"""3 \pmod 7, 3 \bmod 7, 3 (mod 7)."""
    if len(found) > 3 and found[-1].kind == "close" and (start := _opens(found)) and found[start + 1] in _MOD:
        return Residue(of(found[:start]), of(found[start + 2 : -1]))
    at = next((i for i, node in enumerate(found) if node.kind == "mod"), None)
    if at and found[at].text == "pmod" and at == len(found) - 1:
        return Residue(of(found[:at]), of(found[at].args[0]))
    if at and found[at].text == "bmod" and at == len(found) - 2:
        return Residue(of(found[:at]), of(found[at + 1 :]))
    return None


_MOD = (Node("word", "mod"), Node("mod", "bmod", ((),)))


def _opens(found: Nodes) -> int | None:
    """Where the bracket that the last node closes was opened."""
    return next((i for i in range(len(found) - 2, -1, -1) if found[i].kind == "open"), None)


def _joined(found: Nodes):
    found = tuple(
        Node("set", "minus") if node == Node("op", "-") and found[i + 1 : i + 2] == (Node("open", "{"),) and i else node
        for i, node in enumerate(found)
    )
    parts, marks = split(found, lambda node: node.kind == "set")
    if not marks:
        return None
    if not all(parts):
        return Words(found)
    return Joined(tuple(of(part) for part in parts), tuple(mark.text for mark in marks))


def _turned_interval(found: Nodes) -> Row | None:
    """]1,2[ as (1,2), ]1,2] as (1,2]."""
    ends = found[0], found[-1]
    if len(found) < 5 or not (ends[0] == Node("close", "]") or ends[1] == Node("open", "[")):
        return None
    parts, _ = split(found[1:-1], lambda node: node.kind == "sep")
    brackets = ("(" if ends[0].text == "]" else "[") + (")" if ends[1].text == "[" else "]")
    plain = all(node.kind not in ("open", "close") for node in found[1:-1])
    return Row(tuple(map(of, parts)), brackets) if plain and len(parts) == 2 and all(parts) else None


_PAIRS = {"()", "[]", "(]", "[)", "{}", "<>", "]["}


def _bracketed(found: Nodes):
    closing = _closes(found) if found[0].kind == "open" else None
    if closing is not None and unit_of([_unit_word(node) or "?" for node in found[closing + 1 :]]) is not None:
        found = found[: closing + 1]  # (1,2) cm
    if _named_point(found):
        return Relation((Quantity(found[:1]), of(found[1:])), ("=",))
    if found[0].kind != "open" or _closes(found) != len(found) - 1:
        return None
    brackets, inner = found[0].text + found[-1].text, found[1:-1]
    if brackets not in _PAIRS:
        return None
    if brackets == "{}":
        return _braced(inner)
    if not inner:
        return Words(found)
    parts, marks = split(inner, lambda node: node.kind == "sep")
    if not marks:
        return of(inner) if brackets in ("()", "[]") and inner else Words(found)
    if brackets == "<>" or not all(parts):
        return Row(tuple(map(of, parts)), "()") if all(parts) else Words(found)
    return Row(tuple(map(of, parts)), brackets)


def _closes(found: Nodes) -> int | None:
    """Where the bracket that opens the nodes is closed."""
    depth = 0
    for i, node in enumerate(found):
        depth += (node.kind == "open") - (node.kind == "close")
        if depth == 0:
            return i
    return None


def _named_point(found: Nodes) -> bool:
    """A(1,2): a capital letter before a point."""
    if len(found) < 6 or found[0].kind != "let" or not found[0].text.isupper() or found[1] != Node("open", "("):
        return False
    if found[0].text in ("C", "P") and all(node.kind == "num" for node in found[2::2][:2]) and len(found) == 6:
        return False  # C(5,2) counts
    return _closes(found[1:]) == len(found) - 2 and bool(split(found[2:-1], lambda node: node.kind == "sep")[1])


def _braced(inner: Nodes):
    for marks in ("bar", "colon"):
        at = next((i for i, node in enumerate(inner) if node.kind == marks), None)
        if at and inner[0].kind == "let" and at + 1 < len(inner) and not any(n.kind == "sep" for n in inner[:at]):
            if inner[1:at] and inner[1] != Node("rel", "in"):
                continue
            conditions, _ = split(inner[at + 1 :], lambda node: node.kind == "sep" or node.kind == "conj")
            joins_or = any(node == Node("conj", "or") for node in inner)
            found = tuple(map(of, conditions))
            return Builder(inner[0].text, (Many(found, "or"),) if joins_or else found)
    parts, _ = split(inner, lambda node: node.kind == "sep")
    return Many(_spread(tuple(of(part) for part in parts), "set") if inner else (), "set")


def _environment(found: Nodes):
    if found[0].kind == "open" and found[-1].kind == "close" and len(found) == 3:
        found = found[1:-1] if found[1].kind == "env" and found[1].text in ("array", "matrix", "smallmatrix") else found
    if found[0] == Node("open", "{") and len(found) == 2 and found[1].kind == "env":  # \left\{…\right.
        return _system(found[1])
    env = found[-1]
    if env.kind != "env":
        return None
    if env.text in ("cases", "rcases", "dcases", "aligned", "align", "gathered", "split"):
        return _system(env) if len(found) == 1 else None
    if env.text in ("vmatrix", "Vmatrix"):
        rows = tuple(tuple(of(cell) for cell in row) for row in env.args)
        return Determinant(rows) if len(found) == 1 and all(len(row) == len(rows) for row in rows) else None
    return Matrix(tuple(tuple(of(cell) for cell in row) for row in env.args), found[:-1])


def _system(env: Node):
    rows = [tuple(cell for cell in row if cell) for row in env.args]
    rows = [row for row in rows if row]
    conditional = [row for row in rows if len(row) == 2 and not any(node.kind == "rel" for node in row[0])]
    if conditional and len(conditional) == len(rows):
        return Cases(tuple((of(trimmed(value)), of(_condition(condition))) for value, condition in rows))
    items = tuple(of(trimmed(tuple(node for cell in row for node in cell))) for row in rows)
    return Many(items, "system") if len(items) > 1 else items[0] if items else None


def _condition(found: Nodes) -> Nodes:
    """Without "if" or "for"."""
    found = trimmed(found)
    said = found[0].text.casefold() if found and found[0].kind == "word" else ""
    return found[1:] if said in ("if", "for", "when") and len(found) > 1 else found


def _ratio(found: Nodes) -> Ratio | None:
    parts, marks = split(found, lambda node: node.kind == "colon" or node == Node("word", "to"))
    return Ratio(tuple(of(part) for part in parts)) if marks and all(parts) else None


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
    parts = [_unit(found[a:b]) for a, b in zip(starts, [*starts[1:], len(found)], strict=True)]
    return Row(tuple(Quantity(*part) for part in parts), "units") if all(unit for _, unit in parts) else None


def _quantity(found: Nodes):
    """An expression with or without a unit; Words if anything in it is a word."""
    if compound := _compound(found):
        return compound
    found = _scaled(found)
    body, unit = found, None
    if found[0].kind == "word" and found[0].text in ("$", "€", "£", "¥", "₹", "USD", "EUR", "GBP", "RMB"):
        body, unit = found[1:], unit_of([found[0].text])
    elif found[-1].kind == "pct":
        body, unit = found[:-1], "%"
    else:
        body, unit = _unit(found)
    body = _without_parentheses(body)
    if not body or not readable(body):
        return Words(found)
    return Quantity(body, unit)


def _unit(found: Nodes) -> tuple[Nodes, str | None]:
    """The expression and the unit after it: words, °, ' and what joins them, "m/s", "cm^2"."""
    if degrees := _degrees(found):
        return degrees, "deg"
    if (rate := _rate(found)) is not None:
        return rate
    first = next((i for i, node in enumerate(found) if node.kind == "word" or node.kind == "deg"), None)
    if not first:
        return found, None
    words = [_unit_word(node) for node in found[first:] if node != Node("mark", ".")]  # "sq. units"
    unit = unit_of(words) if all(words) else None
    of_function = unit == "deg" and found[first].kind == "deg" and any(node.kind == "fn" for node in found[:first])
    return (found, None) if unit is None or of_function else (found[:first], unit)


_RATES = {"m / s", "m / s ^{2}", "k m / h", "f t / s", "g / L", "m / h"}


def _rate(found: Nodes) -> tuple[Nodes, str] | None:
    """3 m/s, whose letters could be variables, too: only a few are taken for units."""
    first = next((i for i, node in enumerate(found) if node.kind == "let"), None)
    if first and found[first - 1].kind == "num" and writing_of(found[first:]) in _RATES:
        return found[:first], writing_of(found[first:]).replace(" ", "").replace("{", "").replace("}", "")
    return None


def _unit_word(node: Node) -> str | None:
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


def _without_parentheses(found: Nodes) -> Nodes:
    while (
        len(found) > 2
        and found[0] == Node("open", "(")
        and found[-1].kind == "close"
        and _closes(found) == len(found) - 1
    ):
        found = found[1:-1]
    return found


_KNOWN = {"num", "let", "fn", "op", "sup", "sub", "frac", "sqrt", "binom", "bar", "open", "close", "sym", "deg",
"prime",
          "accent", "pct", "sep", "circ"}  # fmt: skip
_SYMBOLS = {"rel", "dots", "cmd", "mod"}


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


def written(what) -> str:
    return writing_of(what.nodes) if hasattr(what, "nodes") else repr(what)
