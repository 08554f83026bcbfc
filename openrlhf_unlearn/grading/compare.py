r"""Whether an answer and a label have the same value: math-verify, and mends for what it is known to get wrong.

Runs inside a grading process, as reading.py does. tests/grading/pairs.py lists every mend with its reason, and what
cannot be mended from outside math-verify.
"""

import re

from math_verify import verify
from sympy import Basic, Eq, Expr, Float, Interval, MatrixBase, Set, Tuple, UnevaluatedExpr, Union, cancel, fraction
from sympy import FiniteSet as Several
from sympy.core.relational import Relational

from openrlhf_unlearn.grading.reading import NOT_A_NUMBER, parsed, prepared, time_of_day, words, writing

_BASE = re.compile(r"[0-9A-Fa-f]+_\{?(?:\\text\{)?([0-9]+)\}?\}?$")
_BARE_NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")
_QUANTITY = re.compile(
    rf"\\?\$?\s*({_BARE_NUMBER.pattern})\s*(?:\\(?:text|mathrm)\s*\{{)?\s*[A-Za-z][-A-Za-z ./'^0-9]*\}}?$"
)
_TUPLE, _SET = re.compile(r"\([^()\[\]]+,[^()\[\]]+\)"), re.compile(r"\\\{[^()\[\]]+,[^()\[\]]+\\\}")
_UNIT = re.compile(r"(?:\\[ ,;]|\s)*\\(?:text|mathrm)\s*\{\s*[A-Za-z][-A-Za-z ./^0-9]*\}\s*$")
EXACT, ROUNDED = 1e-12, 1e-3  # how far apart, relative to their size, two numbers may be


def same(answer: str, label: str) -> bool:
    """Whether the two are the same value. May hang or eat memory: call it in a process that can be killed."""
    if writing(label) in (writing(answer), writing(_UNIT.sub("", answer))):
        return True
    if time_of_day(label):
        return time_of_day(answer) == time_of_day(label)
    gold, found = parsed(label), parsed(answer)
    if not gold or not found or _bases_differ(answer, label) or _brackets_differ(answer, label):
        return False
    if verify(list(gold), list(found), timeout_seconds=None, allow_set_relation_comp=True):
        return not _certain(_differ, gold[0], found[0])
    return _same_words(answer, label) or _same_quantity(answer, label) or _certain(_same_set, gold[0], found[0])


def _certain(check, gold, found) -> bool:
    """What the check says, False where sympy cannot tell."""
    try:
        return check(gold, found)
    except NOT_A_NUMBER:
        return False


# Right answers that math-verify calls wrong ------------------------------------------------------------------------


def _same_words(answer: str, label: str) -> bool:
    gold = words(label)
    return len(gold) > 2 and gold.isalpha() and words(answer) == gold


def _same_quantity(answer: str, label: str) -> bool:
    """A number and words after it, "16 five-dollar bills", for a label that is a bare number."""
    quantity = _QUANTITY.match(prepared(answer))
    return bool(quantity and _BARE_NUMBER.fullmatch(prepared(label)) and same(quantity[1], label))


def _same_set(gold, found) -> bool:
    r"""x<-3 \text{ or } x>3 and (-\infty,-3)\cup(3,\infty)."""
    a, b = _as_set(gold), _as_set(found)
    return a is not None and a == b


def _as_set(expression) -> Set | None:
    if isinstance(expression, Several) and expression.args and all(isinstance(x, Relational) for x in expression.args):
        if any(isinstance(x, Eq) for x in expression.args) or len(expression.free_symbols) != 1:
            return None
        return Union(*(x.as_set() for x in expression.args))
    return expression if isinstance(expression, (Interval, Union)) else None


# Wrong answers that math-verify calls right ------------------------------------------------------------------------


def _bases_differ(answer: str, label: str) -> bool:
    """It drops the base of 123_7; where both name one, they must agree."""
    bases = [_BASE.search(prepared(text)) for text in (answer, label)]
    return all(bases) and bases[0][1] != bases[1][1]


def _brackets_differ(answer: str, label: str) -> bool:
    r"""It takes \{1,2\} for (1,2)."""
    a, b = (prepared(text).replace(r"\left", "").replace(r"\right", "") for text in (answer, label))
    return any(one.fullmatch(a) and other.fullmatch(b) for one, other in ((_TUPLE, _SET), (_SET, _TUPLE)))


def _differ(gold, found) -> bool:
    if isinstance(gold, Eq) and isinstance(found, Eq):
        return _curves_differ(gold, found)
    parts = [_parts(gold), _parts(found)]
    if all(parts) and len(parts[0]) == len(parts[1]):
        return any(map(_numbers_differ, *parts))
    return _numbers_differ(gold, found)


def _parts(expression) -> list | None:
    """The numbers of a set, tuple, interval or matrix, those of a set in order of size."""
    if isinstance(expression, Interval):
        return [expression.start, expression.end]
    if isinstance(expression, (Tuple, MatrixBase)):
        return list(expression)
    if isinstance(expression, Several) and all(map(_is_real_number, expression.args)):
        return sorted(expression.args, key=lambda x: x.evalf(30))
    return None


def _is_real_number(x) -> bool:
    return isinstance(x, Expr) and bool(x.is_number and x.is_extended_real)  # a symbol is "real" too


def _numbers_differ(gold, found) -> bool:
    """It compares decimal places, so that 1/2^99 and 1/2^98 are equal. Here exact numbers must agree to EXACT of their
    size, rounded ones to ROUNDED (it has asked for six decimal places already)."""
    if not all(isinstance(x, Expr) and x.is_number for x in (gold, found)):
        return False
    if gold.has(UnevaluatedExpr) or found.has(UnevaluatedExpr):  # percent: 50 % is 50 and 0.5
        return False
    a, b = (x.doit().evalf(30) for x in (gold, found))
    tolerance = ROUNDED if gold.has(Float) or found.has(Float) else EXACT
    return bool(abs(a - b) > tolerance * max(abs(a), abs(b)))


def _curves_differ(gold: Eq, found: Eq) -> bool:
    """It takes x+y=3 for x-y=3. Polynomial equations in several variables agree if one is a multiple of the other."""
    symbols = gold.free_symbols | found.free_symbols
    if len(symbols) < 2 or not all(isinstance(x, Basic) and not x.has(Set) for x in (gold, found)):
        return False
    numerators = [fraction((x.lhs - x.rhs).doit().together())[0].expand() for x in (gold, found)]
    if numerators[1] == 0 or not all(x.is_polynomial(*symbols) for x in numerators):
        return False
    return bool(cancel(numerators[0] / numerators[1]).free_symbols)
