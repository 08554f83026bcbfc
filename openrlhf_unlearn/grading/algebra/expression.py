"""What math-verify's parser makes of an expression."""

from functools import lru_cache

from openrlhf_unlearn.grading.algebra.bound import counted, degrees_bound, fractions_bound, functions_bound
from openrlhf_unlearn.grading.algebra.cas import Expression, conversion, latex2sympy, sympy
from openrlhf_unlearn.grading.algebra.latex import latex
from openrlhf_unlearn.grading.algebra.numbers import number
from openrlhf_unlearn.grading.formula.nodes import Nodes

_CASES_KEPT = conversion(lowercase_symbols=False)


@lru_cache(maxsize=1024)
def expression(nodes: Nodes) -> Expression:
    """sympy's expression; None if the parser cannot read it."""
    value = number(nodes)
    if value is not None:
        return sympy.Rational(value.numerator, value.denominator)
    if any(node.kind in ("prime", "circ", "op") and node.text == "prime" for node in nodes) or _transposed(nodes):
        return None
    nodes = functions_bound(counted(fractions_bound(degrees_bound(nodes))))
    try:
        found = latex2sympy(latex(nodes), normalization_config=None, conversion_config=_CASES_KEPT)
    except MemoryError:
        raise
    except Exception:  # the parser's own, a plain Exception
        return None
    return found


def _transposed(nodes: Nodes) -> bool:
    """A^T, which the parser reads as A."""
    return any(
        node.kind == "sup" and [n.text for n in node.args[0]] in (["T"], [r"\top"], ["*"], ["+"]) for node in nodes
    )


def imaginary(x: Expression) -> Expression:
    """i as the imaginary unit, wherever it is no index."""
    i = sympy.Symbol("i")
    return x.subs(i, sympy.I) if isinstance(x, sympy.Expr) and i in x.free_symbols else x
