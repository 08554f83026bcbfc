"""Points, vectors, intervals, sets and set builders: what stands between brackets."""

from openrlhf_unlearn.grading.classify.grids import transposed
from openrlhf_unlearn.grading.classify.several import spread
from openrlhf_unlearn.grading.classify.shapes import Builder, Many, Matrix, Of, Quantity, Relation, Row, Shape, Words
from openrlhf_unlearn.grading.classify.split import closes, split
from openrlhf_unlearn.grading.classify.unit import unit_word
from openrlhf_unlearn.grading.formula.nodes import Node, Nodes
from openrlhf_unlearn.grading.formula.units import unit_of

_PAIRS = {"()", "[]", "(]", "[)", "{}", "<>", "]["}


def turned_interval(found: Nodes, of: Of) -> Row | None:
    """]1,2[ as (1,2), ]1,2] as (1,2]."""
    ends = found[0], found[-1]
    if len(found) < 5 or not (ends[0] == Node("close", "]") or ends[1] == Node("open", "[")):
        return None
    parts, _ = split(found[1:-1], lambda node: node.kind == "sep")
    brackets = ("(" if ends[0].text == "]" else "[") + (")" if ends[1].text == "[" else "]")
    plain = all(node.kind not in ("open", "close") for node in found[1:-1])
    return Row(tuple(map(of, parts)), brackets) if plain and len(parts) == 2 and all(parts) else None


def bracketed(found: Nodes, of: Of) -> Shape | None:
    closing = closes(found) if found[0].kind == "open" else None
    if closing is not None and unit_of([unit_word(node) or "?" for node in found[closing + 1 :]]) is not None:
        found = found[: closing + 1]  # (1,2) cm
    if _named_point(found):
        return Relation((Quantity(found[:1]), of(found[1:])), ("=",))
    if found[0].kind == "open" and transposed(found) and closes(found) == len(found) - 2:
        row = bracketed(found[:-1], of)
        return Matrix(tuple((item,) for item in row.items)) if isinstance(row, Row) else None
    if found[0].kind != "open" or closes(found) != len(found) - 1:
        return None
    brackets, inner = found[0].text + found[-1].text, found[1:-1]
    if brackets not in _PAIRS:
        return None
    if brackets == "{}":
        return _braced(inner, of)
    if not inner:
        return Words(found)
    parts, marks = split(inner, lambda node: node.kind == "sep")
    if not marks:
        return of(inner) if brackets in ("()", "[]") and inner else Words(found)
    if brackets == "<>" or not all(parts):
        return Row(tuple(map(of, parts)), "()") if all(parts) else Words(found)
    return Row(tuple(map(of, parts)), brackets)


def bare_builder(found: Nodes, of: Of) -> Shape | None:
    """{x | x > 2} whose braces TeX took for a group."""
    bars = [i for i, node in enumerate(found) if node.kind == "bar"]
    stated = bars == [1] and found[0].kind == "let" and found[2:3] == found[:1]
    return _braced(found, of) if stated and any(node.kind == "rel" for node in found) else None


def _named_point(found: Nodes) -> bool:
    """A(1,2): a capital letter before a point."""
    if len(found) < 6 or found[0].kind != "let" or not found[0].text.isupper() or found[1] != Node("open", "("):
        return False
    if found[0].text in ("C", "P") and all(node.kind == "num" for node in found[2::2][:2]) and len(found) == 6:
        return False  # C(5,2) counts
    return closes(found[1:]) == len(found) - 2 and bool(split(found[2:-1], lambda node: node.kind == "sep")[1])


def _braced(inner: Nodes, of: Of) -> Builder | Many | Relation:
    for marks in ("bar", "colon"):
        at = next((i for i, node in enumerate(inner) if node.kind == marks), None)
        if at and inner[0].kind == "let" and at + 1 < len(inner) and not any(n.kind == "sep" for n in inner[:at]):
            if inner[1:at] and inner[1] != Node("rel", "in"):
                continue
            stated = of(inner[at + 1 :])
            if isinstance(stated, Relation) and stated.ops == ("=",) and stated.sides[0] == Quantity(inner[:1]):
                return stated  # {x | x = kπ, k ∈ ℤ}
            conditions, _ = split(inner[at + 1 :], lambda node: node.kind == "sep" or node.kind == "conj")
            joins_or = any(node == Node("conj", "or") for node in inner)
            found = tuple(map(of, conditions))
            return Builder(inner[0].text, (Many(found, "or"),) if joins_or else found)
    parts, _ = split(inner, lambda node: node.kind == "sep")
    return Many(spread(of(part) for part in parts) if inner else (), "set")
