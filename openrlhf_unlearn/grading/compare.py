r"""Compare: whether an answer and a label of known shapes are the same, and the rule that says so.

Runs inside a grading process. Only like is compared with like: what has no rule here is wrong, so that an answer that
says more than its label (another value, a relation, a word) never passes. rules.py has every rule with examples.
"""

from openrlhf_unlearn.grading import algebra, sets
from openrlhf_unlearn.grading.classify import shape, trimmed
from openrlhf_unlearn.grading.nodes import Node, Unreadable, writing_of
from openrlhf_unlearn.grading.reader import nodes
from openrlhf_unlearn.grading.shapes import (
    Based,
    Builder,
    Cases,
    Determinant,
    Joined,
    Many,
    Matrix,
    Quantity,
    Ratio,
    Relation,
    Residue,
    Row,
    Words,
)
from openrlhf_unlearn.grading.words import same_words

SAME = "same writing"


def decide(answer: str, label: str) -> str | None:
    """The rule by which the answer is the label; None if none does."""
    try:
        gold = trimmed(nodes(label))
        found = trimmed(nodes(answer))
    except (Unreadable, RecursionError):
        return SAME if answer.split() == label.split() else None
    if not found:
        return None
    if writing_of(found) == writing_of(gold):
        return SAME
    what, wanted = shape(answer), shape(label)
    if algebra.unevaluated(what) and not algebra.unevaluated(wanted):
        return None  # the question said again
    return rule(what, wanted)


def same(answer: str, label: str) -> bool:
    return decide(answer, label) is not None


_KINDS = {
    "Words": "words",
    "Relation": "a relation",
    "Row": "a tuple or interval",
    "Joined": "a set",
    "Builder": "a set",
    "Matrix": "a matrix",
    "Determinant": "a determinant",
    "Cases": "a function by cases",
    "Ratio": "a ratio or time",
    "Based": "a number in a base",
    "Residue": "a remainder",
}


def why_not(answer: str, label: str) -> str:
    """For people: what kinds of answers the two are, where no rule takes one for the other."""
    return f"no rule takes {_kind(answer)} for {_kind(label)}"


def _kind(text: str) -> str:
    try:
        what = shape(text)
    except (Unreadable, RecursionError):
        return "unreadable text"
    if isinstance(what, Many):
        return "a system" if what.kind == "system" else f"{len(what.items)} values"
    if isinstance(what, Quantity):
        plain = "a number" if algebra.number(what.nodes) is not None else "an expression"
        return f"{plain} of unit {what.unit}" if what.unit else plain
    return _KINDS[type(what).__name__]


def rule(answer, label) -> str | None:
    """The rule by which two shapes are the same value."""
    if same_words(answer, label):
        return "words"
    for compare in _COMPARERS:
        if found := compare(answer, label):
            return found
    return None


def _quantities(a, b) -> str | None:
    if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
        return None
    if a.family or b.family:
        return "family" if sets.same_family(a, b) else None
    if _degrees(a, b) or _degrees(b, a):
        return "degrees"
    if a.unit and b.unit and a.unit != b.unit and not ({a.unit, b.unit} & {"deg"} and a.unit[:3] == b.unit[:3]):
        return None
    if not _equal(a, b) and not _equal(*map(_constant_named_c, (a, b))):
        return None
    if a.unit == "%" or b.unit == "%":
        return "percent"
    if a.unit != b.unit:
        return "unit"
    return "number" if algebra.number(a.nodes) is not None and algebra.number(b.nodes) is not None else "expression"


def _degrees(a: Quantity, b: Quantity) -> bool:
    """30° for π/6."""
    if (
        a.unit != "deg"
        or b.unit not in (None, "rad")
        or not any(node == Node("sym", "pi") for node in algebra.within(b.nodes))
    ):
        return False
    return algebra.equal((Node("frac", "frac", ((*a.nodes, Node("sym", "pi")), (Node("num", "180"),))),), b.nodes)


def _constant_named_c(quantity: Quantity) -> Quantity:
    """x² + c as x² + C: a constant of integration."""
    found = quantity.nodes
    if len(found) > 2 and found[-2] == Node("op", "+") and found[-1] in (Node("let", "c"), Node("let", "K")):
        return Quantity((*found[:-1], Node("let", "C")), quantity.unit)
    return quantity


def _equal(a: Quantity, b: Quantity) -> bool:
    """The values are equal; 50 % is 50 and 0.5 for a label without a percent sign, and the other way round."""
    if algebra.equal(a.nodes, b.nodes):
        return True
    if (a.unit == "%") == (b.unit == "%"):
        return False
    percent, plain = (a, b) if a.unit == "%" else (b, a)
    return not plain.unit and algebra.equal(
        (Node("frac", "frac", (percent.nodes, (Node("num", "100"),))),), plain.nodes
    )


def _named(a, b) -> str | None:
    r"""x = 5 for 5 and 5 for x = 5; AB = 5 cm; a chain 2^3 = 8 if every side agrees; 2√2 ≈ 2.83."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Relation) and not isinstance(other, Relation) and set(one.ops) <= {"=", "~", "in", "=="}:
            value = _value(one)
            if value is not None and (inner := rule(value, other) if one is a else rule(other, value)):
                return inner if inner == "approximation" else "name"
            if "~" in one.ops and _approximates(one, other):
                return "approximation"
    return None


def _value(relation: Relation):
    """What a name is said to be: its last side, if the first names something and the sides between agree."""
    first, *rest = relation.sides
    if "==" in relation.ops and not isinstance(rest[-1], Residue):
        return None
    if relation.ops[0] == "in" or "in" in relation.ops:
        if (
            len(rest) == 1
            and isinstance(first, Quantity)
            and algebra.is_name(first.nodes)
            and not _is_number_set(rest[0])
        ):
            return rest[0]
        return None
    if not _names(first, rest[0]):
        rest = [first, *rest]
        if len(rest) < 2 or relation.ops[0] == "~":
            return None
        first_equations = [op for op in relation.ops if op == "="]
        if not first_equations or not _is_constant(rest[0]):
            return None
    if "~" in relation.ops[1:] or len(rest) > 1 and "~" in relation.ops:
        return None
    if all(rule(side, rest[-1]) for side in rest[:-1]):
        return rest[-1]
    return None


def _is_number_set(what) -> bool:
    return (
        isinstance(what, Quantity)
        and len(what.nodes) == 1
        and what.nodes[0].kind == "sym"
        and what.nodes[0].text == "bb"
        and writing_of(what.nodes[0].args[0]) != "R"
    )


def _is_constant(what) -> bool:
    return isinstance(what, Quantity) and not algebra.letters(what.nodes) - {"e", "i"}


def _names(first, value) -> bool:
    """x, P(A), |AB|, or a combination of several names such as m+n; x^2+y^2 is a curve's, x^2 or x+3 an equation's."""
    if isinstance(first, Words):
        return algebra.is_name(first.nodes)
    if isinstance(first, Joined):
        return all(isinstance(part, Quantity) and algebra.is_name(part.nodes) for part in first.parts)
    if isinstance(first, Row):
        names = all(isinstance(item, Quantity) and algebra.is_name(item.nodes) for item in first.items)
        return names and first.brackets == "()"  # (x, y] names no point
    if not isinstance(first, Quantity) or first.unit:
        return False
    if algebra.is_name(first.nodes):
        return not (isinstance(value, Quantity) and set(_letter_names(first)) & algebra.letters(value.nodes))
    inside = algebra.names(first.nodes) - {"e"}
    constant = isinstance(value, Quantity) and not algebra.letters(value.nodes)
    return constant and len(inside) > 1 and not {"x", "y"} <= inside


def _letter_names(quantity: Quantity) -> list[str]:
    return [node.text for node in quantity.nodes[:1] if node.kind == "let" and len(quantity.nodes) == 1]


def _approximates(relation: Relation, label) -> bool:
    """2√2 ≈ 2.83 for 2√2 or 2.83: one side is the label, and the others are near it."""
    sides = list(relation.sides)
    if len(sides) > 1 and _names(sides[0], sides[1]):
        sides = sides[1:]
    if not all(isinstance(side, Quantity) for side in sides) or not any(rule(side, label) for side in sides):
        return False
    if len(sides) == 1:
        return True
    return all(sets.near(side.nodes, other.nodes) for side in sides for other in sides)


def _equations(a, b) -> str | None:
    if not (isinstance(a, Relation) and isinstance(b, Relation)):
        return None
    if set(a.ops) | set(b.ops) <= {"=", "~"}:
        return _two_equations(a, b)
    if (
        a.ops == b.ops
        and len(a.sides) == len(b.sides)
        and all(rule(x, y) for x, y in zip(a.sides, b.sides, strict=True))
    ):
        return "relation"
    return None


def _two_equations(a: Relation, b: Relation) -> str | None:
    values = [_value(a), _value(b)]
    if None not in values:
        names = [written_name(a.sides[0]), written_name(b.sides[0])]
        generic = {"y", "f ( x )"}
        if (names[0] == names[1] or set(names) <= generic) and rule(*values):
            return "name"
    if (
        (None in values)
        and len(algebra.letters(_all_nodes(a)) | algebra.letters(_all_nodes(b))) == 1
        and values != [None] * 2
    ):
        return None  # an equation that is not solved, for its solution
    if len(a.sides) == len(b.sides) == 2 and all(isinstance(side, Quantity) for side in (*a.sides, *b.sides)):
        return "equation" if sets.same_curve(a, b) else None
    if len(a.sides) == len(b.sides) and all(rule(x, y) for x, y in zip(a.sides, b.sides, strict=True)):
        return "equation"
    return None


def _all_nodes(relation: Relation) -> tuple[Node, ...]:
    return tuple(node for side in relation.sides if isinstance(side, Quantity) for node in side.nodes)


def written_name(what) -> str:
    if isinstance(what, Quantity | Words):
        return writing_of(what.nodes)
    return " , ".join(map(written_name, what.items)) if isinstance(what, Row | Many) else repr(what)


def _sets(a, b) -> str | None:
    kinds = (Row, Relation, Joined, Builder, Many, Words, Quantity)
    if not (isinstance(a, kinds) and isinstance(b, kinds)) or isinstance(a, Row) and isinstance(b, Row):
        return None
    return "set" if sets.same_set(a, b) else None


def _lists(a, b) -> str | None:
    """Several values in any order. Repeated ones count once."""
    if not (isinstance(a, Many) and isinstance(b, Many)):
        return None
    a, b = _flat(a), _flat(b)
    equations = "system" in (a.kind, b.kind) or any(isinstance(item, Relation) for item in (*a.items, *b.items))
    if equations and (found := _systems(a, b)):
        return found
    if not a.items or not b.items:
        return None
    return "list" if _covers(a.items, b.items) and _covers(b.items, a.items, turned=True) else None


def _covers(items, others, turned: bool = False) -> bool:
    return all(any(rule(other, item) if turned else rule(item, other) for other in others) for item in items)


def _flat(many: Many) -> Many:
    """Lists of one variable, x = 1 or x = 2, and x_1 = 1, x_2 = 2, as their values."""
    items: list = []
    for item in many.items:
        items += item.items if isinstance(item, Many) and item.kind in ("pm",) else [item]
    named = _assignments(items)
    if named and len({name.partition(" ")[0].partition("_")[0] for name, _ in named}) == 1:
        items = [value for _, value in named]
    return Many(tuple(items), many.kind)


def _assignments(items) -> list[tuple[str, object]] | None:
    out = []
    for item in items:
        if not isinstance(item, Relation) or set(item.ops) - {"="} or (value := _value(item)) is None:
            return None
        out.append((written_name(item.sides[0]), value))
    return out


def _systems(a: Many, b: Many) -> str | None:
    """x=1, y=2 in any order; systems of equations one by one."""
    if len(a.items) != len(b.items):
        return None
    named = [_assignments(a.items), _assignments(b.items)]
    if all(named):
        one, other = map(dict, named)
        if one.keys() == other.keys() and all(rule(value, other[name]) for name, value in one.items()):
            return "system"
        return None
    return "system" if _covers(a.items, b.items) and _covers(b.items, a.items, turned=True) else None


def _rows(a, b) -> str | None:
    """Points and vectors, in order; x=1, y=2 for (1,2); a list without its parentheses."""
    if isinstance(a, Row) and isinstance(b, Row):
        return "tuple" if a.brackets == b.brackets and _in_order(a.items, b.items) else None
    for one, other, turned in ((a, b, False), (b, a, True)):
        if (
            isinstance(one, Row)
            and isinstance(other, Many)
            and one.brackets == "()"
            and other.kind in ("list", "system")
        ):
            named = _assignments(other.items)
            items = [value for _, value in named] if named and len({n for n, _ in named}) == len(named) else other.items
            if _in_order(*((items, one.items) if turned else (one.items, items))):
                return "tuple"
    return None


def _in_order(items, others) -> bool:
    return len(items) == len(others) and all(rule(x, y) for x, y in zip(items, others, strict=True))


def _matrices(a, b) -> str | None:
    if isinstance(a, Matrix) and isinstance(b, Matrix):
        shapes = [[len(row) for row in matrix.rows] for matrix in (a, b)]
        cells = [[cell for row in matrix.rows for cell in row] for matrix in (a, b)]
        if shapes[0] != shapes[1]:
            return None
        if not a.factor and not b.factor:
            return "matrix" if _in_order(*cells) else None
        return "matrix" if sets.same_scaled(a.factor, cells[0], b.factor, cells[1]) else None
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Matrix) and isinstance(other, Row) and not one.factor and other.brackets == "()":
            column = [row[0] for row in one.rows] if all(len(row) == 1 for row in one.rows) else one.rows[0]
            if (len(one.rows) == 1 or len(one.rows[0]) == 1) and _in_order(
                *((column, other.items) if one is a else (other.items, column))
            ):
                return "matrix"
    return None


def _others(a, b) -> str | None:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Determinant) and isinstance(other, Quantity):
            return "determinant" if sets.determinant_is(one, other) else None
        if isinstance(one, Quantity) and isinstance(other, Row) and (parts := sets.components(one)):
            values = [item.nodes if isinstance(item, Quantity) else () for item in other.items]
            numbers = list(map(algebra.expression, values))
            alike = len(parts) == len(numbers) and all(n is not None for n in numbers)
            return "tuple" if alike and all(map(algebra.same_expressions, parts, numbers)) else None
    if isinstance(a, Cases) and isinstance(b, Cases):
        pairs = all(any(_in_order(row, other) for other in b.rows) for row in a.rows) and len(a.rows) == len(b.rows)
        return "cases" if pairs else None
    if isinstance(a, Residue) and isinstance(b, Residue):
        return "remainder" if rule(a.value, b.value) and rule(a.modulus, b.modulus) else None
    if isinstance(a, Based) and isinstance(b, Based):
        return "base" if a == b else None
    if isinstance(b, Based) and isinstance(a, Quantity) and not a.unit and writing_of(a.nodes) == b.digits:
        return "base"
    if isinstance(a, Ratio) and isinstance(b, Ratio):
        return _ratios(a, b)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Ratio) and isinstance(other, Quantity) and not one.clock and len(one.parts) == 2:
            quotient = Node("frac", "frac", tuple(part.nodes for part in one.parts if isinstance(part, Quantity)))
            if len(quotient.args) == 2 and algebra.equal((quotient,), other.nodes):
                return "ratio"
    return None


def _ratios(a: Ratio, b: Ratio) -> str | None:
    if a.clock and b.clock:
        return "time" if a.parts == b.parts and (a.half == b.half or not (a.half and b.half)) else None
    if a.clock or b.clock or len(a.parts) != len(b.parts):
        return None
    return "ratio" if sets.same_ratio(a.parts, b.parts) else None


def _repeated(a, b) -> str | None:
    """1/2, 0.5 for 0.5: one value written twice; 5/2 (2.5) likewise."""
    if isinstance(a, Many) and a.kind in ("list", "or") and isinstance(b, Quantity) and 1 < len(a.items) <= 3:
        return "twice" if all(rule(item, b) for item in a.items) else None
    if isinstance(a, Many) and a.kind == "set" and len(a.items) == 1 and isinstance(b, Quantity | Row):
        return "set" if rule(a.items[0], b) else None
    if isinstance(b, Many) and b.kind == "set" and len(b.items) == 1 and isinstance(a, Quantity | Row):
        return "set" if rule(a, b.items[0]) else None
    if isinstance(a, Quantity) and isinstance(b, Quantity) and (parts := _in_parentheses(a.nodes)):
        first, second = parts
        if (
            algebra.equal(first, b.nodes)
            and sets.near(first, second)
            or algebra.equal(second, b.nodes)
            and algebra.equal(first, second)
        ):
            return "twice"
    return None


def _in_parentheses(found):
    """(5/2, 2.5) of "5/2 (2.5)"."""
    if (
        len(found) > 3
        and found[-1] == Node("close", ")")
        and found[-3] == Node("open", "(")
        and algebra.is_decimal(found[-2:-1])
    ):
        return found[:-3], found[-2:-1]
    return None


_COMPARERS = (_quantities, _equations, _named, _lists, _rows, _sets, _matrices, _others, _repeated)
