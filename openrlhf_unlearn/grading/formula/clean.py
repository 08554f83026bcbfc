r"""Before a formula is read: in ASCII and LaTeX, repeating decimals as fractions.

cleaned("½ ≤ x²")         # \frac{1}{2} \le  x^{2}
cleaned("0.1666\ldots")   # \frac{1}{6}
"""

import re
import unicodedata
from fractions import Fraction

from openrlhf_unlearn.grading.formula.symbols import CHARACTERS, SUBSCRIPTS, SUPERSCRIPTS

_REPEATING = re.compile(
    r"(?<![0-9.])([0-9]*)\.([0-9]*)(?:\\(?:overline|bar|dot)\s*(?:\{([0-9]+)\}|([0-9]))|\(([0-9]+)\))"
)
_DOTTED = re.compile(r"(?<![0-9.])([0-9]*)\.([0-9]*)\\dot\s*\{?([0-9])\}?([0-9]*)\\dot\s*\{?([0-9])\}?")
_GOES_ON = re.compile(r"(?<![0-9.])([0-9]+)\.([0-9]{2,60})\s*(?:\\[lc]?dots\b\s*|\.\.\.)")


def cleaned(text: str) -> str:
    """The text in ASCII and LaTeX, repeating decimals as fractions; other scripts' letters stay."""
    text = _in_ascii(text)
    if "." in text:
        text = _DOTTED.sub(lambda found: _repeating(found[1], found[2], found[3] + found[4] + found[5]), text)
        text = _REPEATING.sub(lambda found: _repeating(found[1], found[2], found[3] or found[4] or found[5]), text)
        text = _GOES_ON.sub(_going_on, text)
    return text.replace("US\\$", "\\$") if "US\\$" in text else text


def _repeating(whole: str, fixed: str, repeated: str) -> str:
    nines = 10 ** len(fixed) * (10 ** len(repeated) - 1)
    value = Fraction(int((whole or "0") + fixed + repeated) - int((whole or "0") + fixed), nines)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _going_on(found: re.Match[str]) -> str:
    r"""0.1666\ldots as 1/6: a digit that stands there three times, or a group twice, goes on."""
    whole, digits = found[1], found[2]
    for n in range(1, len(digits) // 2 + 1):
        times = 3 if n == 1 else 2
        period = digits[-n:]
        if len(digits) >= n * times and digits.endswith(period * times):
            fixed = digits
            while fixed.endswith(period):
                fixed = fixed[:-n]
            return _repeating(whole, fixed, period)
    return found[0]


def _in_ascii(text: str) -> str:
    if text.isascii():
        return text
    out: list[str] = []
    i = 0
    while i < len(text):
        char = text[i]
        for table, mark in ((SUPERSCRIPTS, "^"), (SUBSCRIPTS, "_")):
            if char in table:
                run = ""
                while i < len(text) and text[i] in table:
                    run, i = run + table[text[i]], i + 1
                out.append(f"{mark}{{{run}}}")
                break
        else:
            out.append(_fraction(char) if "¼" <= char <= "¾" or "⅐" <= char <= "⅞" else char)
            i += 1
    return unicodedata.normalize("NFKC", "".join(out).translate(CHARACTERS)).translate(CHARACTERS)


def _fraction(char: str) -> str:
    value = Fraction(unicodedata.numeric(char)).limit_denominator(10)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
