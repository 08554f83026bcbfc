r"""One formula or a few words as math-verify reads them best, and what it makes of them.

Runs inside a grading process: whatever hangs here is killed from outside, so math-verify's own alarms are off.
"""

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

from math_verify import parse, verify
from sympy import Basic

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SIGNS = {"−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "π": r"\pi ", "∞": r"\infty ",
          "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "°": r"^\circ ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
          "∅": r"\emptyset ", r"\varnothing": r"\emptyset", "±": r"\pm ", "θ": r"\theta ", "⁄": "/"}  # fmt: skip
NOT_A_NUMBER = (TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)  # what sympy raises instead
_DELIMITERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
_LAYOUT = r"(?:\\(?:left|right|displaystyle|[,;:!]|quad|qquad)(?![A-Za-z])|\s|~)+"
_MARGINS = re.compile(r"^(?:\\[,;:! ]|\\q?quad(?![A-Za-z])|[\s~])+|(?:(?<!\\)\\[,;:! ]|\\q?quad|[\s~.])+$")
_MEMBER = re.compile(r"^\s*[A-Za-z]\s*\\in(?![A-Za-z])\s*(?=[(\[]|\\left|\\\{)")
_REPEATING = re.compile(r"(?<![0-9.])([0-9]*)\.([0-9]*)\\(?:overline|bar|dot)\s*\{?([0-9]+)\}?")
_THOUSANDS = re.compile(r"(?<=[0-9])(?:\\,|\{,\})(?=[0-9]{3}(?![0-9]))")
_SCIENTIFIC = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)[eE]([+-]?[0-9]{1,4})")
_MONEY = re.compile(r"(?:\\\$|[€£¥₹])\s*(?=[0-9.])|(?<=[0-9])\s*[€£¥₹]")
_MIXED = re.compile(r"(-?[0-9]+)\s+([0-9]+)/([0-9]+)")
_LAST_LETTER = re.compile(r"(?<![A-Za-z/.\\])[A-Za-z]$")
_VARIABLE = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])|\\(?:sin|cos|tan|sec|csc|cot|ln|log|theta)\s*$")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}|\\(?:text|mathrm)")
_BARE_ARGUMENTS = (  # what LaTeX allows without braces and the parser does not
    (re.compile(r"(\\[dt]?binom)\s*([0-9a-z])\s*([0-9a-z])"), r"\1{\2}{\3}"),
    (re.compile(r"(\\sqrt\s*\[[^\[\]]*\])\s*([0-9A-Za-z])"), r"\1{\2}"),
    (re.compile(r"\\mathbb\s+([A-Z])"), r"\\mathbb{\1}"),
    (re.compile(r"\\(?:mathrm|operatorname)\{([ie])\}"), r"\1"),
)
_BOXED_TEXT = re.compile(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*[0-9][^{}]*)\}")
_PROSE = re.compile(r"[A-Za-z0-9 .,:;'%/=()-]*[A-Za-z0-9][A-Za-z0-9 .,:;'%/=()-]*")
_TEXT = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}")
_TIME = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?\s*([ap])\.?\s*m\.?", re.IGNORECASE)
_WORDS = re.compile(r"(?:[a-z0-9][a-z0-9' .,;:]*|(?<=[a-z])-(?=[a-z]))+")


@lru_cache(maxsize=64)  # asked for several times within one comparison
def prepared(text: str) -> str:
    r"""The formula without dollars and margins, in ASCII and LaTeX, repeating decimals as fractions, no `x \in`."""
    text = _MARGINS.sub("", text)
    for left, right in _DELIMITERS:
        inner = text[len(left) : -len(right)]
        if text.startswith(left) and text.endswith(right) and inner.strip() and left not in inner:
            text = _MARGINS.sub("", inner)
            break
    if "\\" in text or not text.isascii():
        text = _in_latex(text)
    if mixed := _MIXED.fullmatch(text):
        return rf"{mixed[1]}\frac{{{mixed[2]}}}{{{mixed[3]}}}"
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        return rf"{scientific[1]}\times 10^{{{int(scientific[2])}}}"
    return _last_letter_kept(_MARGINS.sub("", _MEMBER.sub("", text)))


def _last_letter_kept(text: str) -> str:
    """x+3t and \\sin t with the t in braces: math-verify takes a last letter for a unit, and drops it."""
    rest = text.rpartition("=")[2][:-1]
    if _LAST_LETTER.search(text) and _VARIABLE.search(rest) and not _WORD.search(rest):
        in_list = rest.rstrip().endswith(",")  # there, braces would make it a set
        return f"{text}^{{1}}" if in_list else f"{text[:-1]}{{{text[-1]}}}"
    return text


def _in_latex(text: str) -> str:
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: f"^{{{found[0].translate(_SUPERSCRIPTS)}}}", text)
    text = re.sub("[¼-¾⅐-⅞]", _fraction_sign, text)
    text = re.sub(r"√\s*(\w+)", r"\\sqrt{\1}", text)
    text = re.sub(r"\^\s*(\{\s*°\s*\}|°)", "°", text)
    text = _REPEATING.sub(_repeating, text)
    text = _THOUSANDS.sub("", _MONEY.sub("", text))
    for bare, braced in _BARE_ARGUMENTS:
        text = bare.sub(braced, text)
    for sign, latex in _SIGNS.items():
        text = text.replace(sign, latex)
    whole = _BOXED_TEXT.fullmatch(text)  # \text{10:30}
    return unicodedata.normalize("NFKC", whole[1] if whole else text)


def _fraction_sign(found: re.Match) -> str:
    value = Fraction(unicodedata.numeric(found[0])).limit_denominator(10)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _repeating(found: re.Match) -> str:
    """0.1\\overline{6} as 1/6, which math-verify cannot read."""
    whole, fixed, repeated = found.groups()
    nines = 10 ** len(fixed) * (10 ** len(repeated) - 1)
    value = Fraction(int((whole or "0") + fixed + repeated) - int((whole or "0") + fixed), nines)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


@lru_cache(maxsize=1024)
def parsed(text: str) -> tuple:
    """math-verify's reading: sympy objects, then the text; () if it has none."""
    formula = prepared(text)
    return tuple(parse(f"\\boxed{{{formula}}}", parsing_timeout=None) if formula else ())


def writing(text: str) -> str:
    """The text without what only lays it out: equal writings are equal answers. "1 1/2" is not "11/2"."""
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", prepared(text))
    text = re.sub(rf"(?<=[0-9]){_LAYOUT}(?=[0-9])", "_", text)
    return re.sub(_LAYOUT, "", text)


def words(text: str) -> str:
    r"""Letters and digits, in lower case, of words, \text{…} too; empty if there is anything to calculate."""
    text = _TEXT.sub(r"\1", prepared(text)).strip(" ().").casefold()
    return re.sub(r"[^a-z0-9]", "", text) if _WORDS.fullmatch(text) else ""


def time_of_day(text: str) -> tuple | None:
    """(hour, minute, "a" or "p") of "10:30 a.m."; None if it is none."""
    found = _TIME.fullmatch(_TEXT.sub(r"\1", prepared(text)).strip())
    return found and (int(found[1]), int(found[2] or 0), found[3].lower())


@lru_cache(maxsize=1024)
def is_readable(label: str) -> bool:
    """Whether a label has a value, or words, that an answer could equal."""
    expressions = [item for item in parsed(label) if not isinstance(item, str)]
    return bool(expressions and verify(expressions, expressions, timeout_seconds=None)) or _is_prose(prepared(label))


def _is_prose(text: str) -> bool:
    """11 a.m. or 20:00: nothing that mathematics reads, but the same writing is the same answer."""
    return bool(_PROSE.fullmatch(text)) and text.count("(") == text.count(")")


def value(text: str) -> complex | None:
    """The number that a text is, percent counted as hundredths; None if it is none."""
    expression = next((item for item in parsed(text) if isinstance(item, Basic)), None)
    try:
        return complex(expression.rhs if getattr(expression, "is_Equality", False) else expression)
    except NOT_A_NUMBER:
        return None
