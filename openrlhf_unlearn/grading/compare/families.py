"""Families: the same numbers for all integers."""

from openrlhf_unlearn.grading import algebra
from openrlhf_unlearn.grading.algebra.cas import NOT_A_NUMBER, Expression, sympy
from openrlhf_unlearn.grading.classify.shapes import Quantity

_K = "k_"  # the parameter of both


def same_family(a: Quantity, b: Quantity) -> bool:
    """π/3 + 2kπ and π/3 + 2nπ: the same numbers for all integers, period and offset alike."""
    if a.unit and b.unit and a.unit != b.unit:
        return False
    k = sympy.Symbol(_K, integer=True)
    x, y = _in_k(a, b, k), _in_k(b, a, k)
    if x is None or y is None:
        return False
    if algebra.same_expressions(x, y):
        return True
    try:
        steps = [(e.subs(k, 1) - e.subs(k, 0)).expand() for e in (x, y)]
        linear = all((e - e.subs(k, 0) - step * k).expand() == 0 for e, step in zip((x, y), steps, strict=True))
        if not linear or 0 in steps or sympy.simplify(abs(steps[0]) - abs(steps[1])) != 0:
            return False
        return bool(sympy.simplify((x.subs(k, 0) - y.subs(k, 0)) / steps[0]).is_integer)
    except NOT_A_NUMBER:
        return False


def _in_k(quantity: Quantity, other: Quantity, k: Expression) -> Expression:
    """The expression with k for its parameter: the one it names, else the other's, else its only letter; or None."""
    expression = algebra.expression(quantity.nodes)
    if not isinstance(expression, sympy.Expr):
        return None
    free = {str(symbol) for symbol in expression.free_symbols}
    only = next(iter(free)) if len(free) == 1 else None
    name = quantity.family or (other.family if other.family in free else only)
    return None if name is None else expression.subs(sympy.Symbol(name.replace("\\", "")), k)
