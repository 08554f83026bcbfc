"""Whether two problems are the same one, by text alone. Other numbers or other names make another problem.

Two problems are the same if they differ in nothing but spelling, spacing, punctuation, LaTeX's ways of setting, and the
words by which one asks ("find", "what is", "determine the value of").
"""

import re
import unicodedata

_DRESS = re.compile(
    r"\\(?:left|right|displaystyle|textstyle|quad|qquad|,|;|:|!| |\(|\)|\[|\])"
    r"|\\(?:text|mathrm|operatorname)\s*(?=\{)|[${}~]"
)
_SAME = (("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"), ("\\cdot", "*"), ("\\times", "*"), ("×", "*"), ("−", "-"))
_TOKEN = re.compile(r"\\[a-zA-Z]+|[^\W\d_]+|[0-9]+(?:\.[0-9]+)?|[^\s\w]")
_ASKING = re.compile(
    r"an?|the|of|is|are|be|that|then|which|what|find|determine|compute|calculate|evaluate|give|express|state|please"
    r"|value|your|answer|as|in|form|simplest|[.,;:?!'\"]"
)


def fingerprint(problem: str) -> tuple[str, ...]:
    """What makes a problem this one and no other: equal for problems that are the same."""
    text = unicodedata.normalize("NFKC", problem).lower()
    for written, meant in _SAME:
        text = text.replace(written, meant)
    return tuple(token for token in _TOKEN.findall(_DRESS.sub(" ", text)) if not _ASKING.fullmatch(token))
