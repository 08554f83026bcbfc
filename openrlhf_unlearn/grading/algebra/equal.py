"""When two expressions are equal: math-verify decides, and numbers must agree to their last place."""

from collections.abc import Callable

from openrlhf_unlearn.grading.algebra.cas import NOT_A_NUMBER, Expression, sympy, verify
from openrlhf_unlearn.grading.algebra.expression import expression, imaginary
from openrlhf_unlearn.grading.algebra.numbers import PLACES, is_decimal, number, places, rounded
from openrlhf_unlearn.grading.formula.nodes import Nodes

EXACT = 1e-12  # how far apart, relative to their size, two exact numbers may be


def equal(a: Nodes, b: Nodes) -> bool:
    """Whether two expressions have the same value."""
    if a == b:
        return True
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return x == y or rounded(a, x, y) or rounded(b, y, x)
    x, y = expression(a), expression(b)
    if x is None or y is None:
        return False
    if _rounds(a, x, y) or _rounds(b, y, x):
        return True
    return same_expressions(x, y)


def _rounds(decimal: Nodes, value: Expression, other: Expression) -> bool:
    """The same for an irrational number."""
    if not is_decimal(decimal) or number(decimal) is None or not isinstance(other, sympy.Expr) or not other.is_number:
        return False
    if other.is_rational:
        return False
    try:
        gap = abs(value - other.doit().evalf(40))
        return places(decimal) >= PLACES and bool(gap < sympy.Rational(1, 10 ** places(decimal)))
    except NOT_A_NUMBER:
        return False


def same_expressions(x: Expression, y: Expression) -> bool:
    """math-verify's verdict, but where it compares decimal places the numbers must agree to EXACT of their size."""
    x, y = imaginary(x), imaginary(y)
    try:
        if not verify(x, y, timeout_seconds=None, float_rounding=PLACES):
            return _same_complex(x, y) or certain(_same_where_real, x, y)
    except NOT_A_NUMBER:
        return False
    return not certain(_differ, x, y)


def certain(check: Callable[[Expression, Expression], bool], a: Expression, b: Expression) -> bool:
    """What the check says, False where sympy cannot tell."""
    try:
        return bool(check(a, b))
    except NOT_A_NUMBER:
        return False


def _same_where_real(x: Expression, y: Expression) -> bool:
    """Roots and logarithms of letters agree at some points, all where every root is real: √(1/m) and 1/√m."""
    symbols = sorted(x.free_symbols, key=str)
    if not symbols or x.free_symbols != y.free_symbols or not (_has_root(x) or _has_root(y)) or len(symbols) > 6:
        return False
    bases = [power.base for e in (x, y) for power in e.atoms(sympy.Pow) if power.exp.is_integer is False]
    seen = 0
    for n in range(12):
        tops = [(7 * n + 5 * i + 3) * (-1) ** (n + i * (n // 2)) for i in range(len(symbols))]
        point = {symbol: sympy.Rational(top, 6 + i) for i, (symbol, top) in enumerate(zip(symbols, tops, strict=True))}
        a, b = (e.subs(point).doit().evalf(30) for e in (x, y))
        if not (a.is_real and b.is_real) or any(base.subs(point).is_negative for base in bases):
            continue
        if abs(a - b) > EXACT * max(abs(a), abs(b)):
            return False
        seen += 1
    return seen > 2


def _has_root(x: Expression) -> bool:
    return x.has(sympy.log) or any(power.exp.is_integer is False for power in x.atoms(sympy.Pow))


def _same_complex(x: Expression, y: Expression) -> bool:
    if not (isinstance(x, sympy.Expr) and isinstance(y, sympy.Expr) and (x.has(sympy.I) or y.has(sympy.I))):
        return False
    return certain(lambda a, b: bool(sympy.expand((a - b).doit()) == 0 or sympy.simplify(a - b) == 0), x, y)


def _differ(a: Expression, b: Expression) -> bool:
    if not all(isinstance(x, sympy.Expr) and x.is_number for x in (a, b)):
        return False
    if a.has(sympy.UnevaluatedExpr) and a.has(sympy.Float):
        return False
    x, y = (value.doit().evalf(30) for value in (a, b))
    return bool(abs(x - y) > EXACT * max(abs(x), abs(y)))


def near(a: Nodes, b: Nodes) -> bool:
    """Within one part in a hundred: a decimal given beside an exact value."""
    x, y = expression(a), expression(b)
    if not all(isinstance(value, sympy.Basic) and getattr(value, "is_number", False) for value in (x, y)):
        return a == b
    try:
        return bool(abs((x - y).evalf(20)) <= sympy.Rational(1, 100) * max(abs(x.evalf(20)), abs(y.evalf(20))))
    except NOT_A_NUMBER:
        return False
