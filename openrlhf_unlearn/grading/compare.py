r"""Whether an answer and a label have the same value: math-verify, and mends for what it is known to get wrong.

Runs inside a grading process: whatever hangs here is killed from outside, so math-verify's own alarms are off.
tests/grading/pairs.py lists every mend with its reason, and what cannot be mended from here.
"""

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

from math_verify import parse, verify
from sympy import Basic, Expr, Float, UnevaluatedExpr

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SIGNS = {"−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "π": r"\pi ", "∞": r"\infty ",
          "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "°": r"^\circ ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
          "∅": r"\emptyset ", "±": r"\pm ", "θ": r"\theta "}  # fmt: skip
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|[,;:!]|quad|qquad)(?![A-Za-z])|\s+|~")
_MEMBER = re.compile(r"^\s*[A-Za-z]\s*\\in(?![A-Za-z])\s*(?=[(\[]|\\left|\\\{)")
_REPEATING = re.compile(r"(?<![0-9.])([0-9]*)\.([0-9]*)\\(?:overline|bar|dot)\s*\{?([0-9]+)\}?")
_PROSE = re.compile(r"[A-Za-z0-9 .,:;'%/=()-]*[A-Za-z0-9][A-Za-z0-9 .,:;'%/=()-]*")
_BASE = re.compile(r"[0-9A-Fa-f]+_\{?(?:\\text\{)?([0-9]+)\}?\}?$")
_WORDS = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}")
_BARE_NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")
_QUANTITY = re.compile(
    rf"\\?\$?\s*({_BARE_NUMBER.pattern})\s*(?:\\(?:text|mathrm)\s*\{{)?\s*[A-Za-z][-A-Za-z ./'^0-9]*\}}?$"
)
RELATIVE, ROUNDED = 1e-12, 1e-3


def prepared(text: str) -> str:
    """One formula as math-verify reads it best: no dollars around it, ASCII signs, no `x \\in` before a set."""
    text = text.strip().rstrip(".").strip()
    for left, right in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        inner = text[len(left) : -len(right)]
        if text.startswith(left) and text.endswith(right) and inner.strip() and left not in inner:
            text = inner
            break
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: f"^{{{found[0].translate(_SUPERSCRIPTS)}}}", text)
    text = re.sub(r"√\s*(\w+)", r"\\sqrt{\1}", text)
    text = re.sub(r"\^\s*(\{\s*°\s*\}|°)", "°", text)
    text = _REPEATING.sub(_as_fraction, text)
    for sign, latex in _SIGNS.items():
        text = text.replace(sign, latex)
    text = unicodedata.normalize("NFKC", text)
    return _MEMBER.sub("", text).strip().rstrip(".").strip()


def _as_fraction(found: re.Match) -> str:
    """0.1\\overline{6} as 1/6, which math-verify cannot read."""
    whole, fixed, repeated = found.groups()
    nines = 10 ** len(fixed) * (10 ** len(repeated) - 1)
    value = Fraction(int((whole or "0") + fixed + repeated) - int((whole or "0") + fixed), nines)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


@lru_cache(maxsize=1024)
def parsed(text: str) -> tuple:
    """math-verify's reading of one formula or of a few words: sympy objects, then the text; () if it has none."""
    formula = prepared(text)
    return tuple(parse(f"\\boxed{{{formula}}}", parsing_timeout=None) if formula else ())


def writing(text: str) -> str:
    """The text without what only lays it out: equal writings are equal answers."""
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", prepared(text))
    return _LAYOUT.sub("", text)


def words(text: str) -> str:
    """Letters and digits of a text answer, in lower case."""
    text = _WORDS.sub(r"\1", prepared(text))
    return "" if "\\" in text else "".join(c for c in text.casefold() if c.isalnum())


@lru_cache(maxsize=1024)
def is_readable(label: str) -> bool:
    """Whether a label has a value, or words, that an answer could equal."""
    found = parsed(label)
    expressions = [item for item in found if not isinstance(item, str)]
    return bool(expressions and verify(expressions, expressions, timeout_seconds=None)) or _is_prose(label)


def _is_prose(text: str) -> bool:
    """11 a.m., 20:00, see below: nothing that mathematics reads, but the same words are the same answer."""
    text = prepared(text)
    return bool(_PROSE.fullmatch(text)) and text.count("(") == text.count(")")


def same(answer: str, label: str) -> bool:
    """Whether the two are the same value. May hang or eat memory: call it in a process that can be killed."""
    if writing(answer) == writing(label):
        return True
    gold, found = parsed(label), parsed(answer)
    if not gold or not found or _bases_differ(answer, label):
        return False
    if verify(list(gold), list(found), timeout_seconds=None, allow_set_relation_comp=True):
        return not _numbers_differ(gold[0], found[0])
    return _same_words(answer, label) or _same_quantity(answer, label)


def _same_quantity(answer: str, label: str) -> bool:
    """A number and words after it, "16 five-dollar bills", for a label that is a bare number."""
    quantity = _QUANTITY.match(prepared(answer))
    return bool(quantity and _BARE_NUMBER.fullmatch(prepared(label)) and same(quantity[1], label))


def _same_words(answer: str, label: str) -> bool:
    gold = words(label)
    return len(gold) > 1 and any(c.isalpha() for c in gold) and words(answer) == gold


def _bases_differ(answer: str, label: str) -> bool:
    """math-verify drops the base of 123_7; where both name one, they must agree."""
    bases = [_BASE.search(prepared(text)) for text in (answer, label)]
    return all(bases) and bases[0][1] != bases[1][1]


def _numbers_differ(gold, found) -> bool:
    """Two numbers that math-verify calls equal because it compares decimal places: 1/2^99 and 1/2^98.

    Exact numbers must agree to RELATIVE, rounded ones to ROUNDED (math-verify itself asks for six decimal places).
    """
    if not all(isinstance(x, Expr) and x.is_number for x in (gold, found)):
        return False
    if gold.has(UnevaluatedExpr) or found.has(UnevaluatedExpr):  # percent: 50 % is 50 and 0.5
        return False
    try:
        a, b = (x.doit().evalf(30) for x in (gold, found))
        tolerance = ROUNDED if gold.has(Float) or found.has(Float) else RELATIVE
        return bool(abs(a - b) > tolerance * max(abs(a), abs(b)))
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return False


def value(text: str) -> complex | None:
    """The number that a text is, percent counted as hundredths; None if it is none."""
    expression = next((item for item in parsed(text) if isinstance(item, Basic)), None)
    try:
        return complex(expression.rhs if getattr(expression, "is_Equality", False) else expression)
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None
