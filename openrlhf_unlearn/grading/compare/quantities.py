"""Two expressions with or without a unit."""

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.classify.shapes import Quantity, Same, Shape
from openrlhf_unlearn.grading.compare.families import same_family
from openrlhf_unlearn.grading.formula.nodes import Node, within


def quantities(a: Shape, b: Shape, rule: Same) -> str | None:
    if not (isinstance(a, Quantity) and isinstance(b, Quantity)):
        return None
    if a.family or b.family:
        return "family" if same_family(a, b) else None
    if _degrees(a, b) or _degrees(b, a):
        return "degrees"
    if a.unit and b.unit and a.unit != b.unit and not ({a.unit, b.unit} & {"deg"} and a.unit[:3] == b.unit[:3]):
        return None
    if not _equal(a, b) and not _equal(_constant_named_c(a), _constant_named_c(b)):
        return None
    if a.unit == "%" or b.unit == "%":
        return "percent"
    if a.unit != b.unit:
        return "unit"
    return "number" if algebra.number(a.nodes) is not None and algebra.number(b.nodes) is not None else "expression"


def _degrees(a: Quantity, b: Quantity) -> bool:
    """30° for π/6."""
    if a.unit != "deg" or b.unit not in (None, "rad") or not any(node == Node("sym", "pi") for node in within(b.nodes)):
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
