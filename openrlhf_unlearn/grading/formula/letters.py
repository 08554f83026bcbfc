"""Letters of plain text: words, products of letters, functions, constants."""

import re

from openrlhf_unlearn.grading.formula.nodes import Node
from openrlhf_unlearn.grading.formula.symbols import FUNCTIONS, GREEK, PLAIN, RENAMED, UNITS_2, WORDS
from openrlhf_unlearn.grading.formula.units import UNITS

RUN = re.compile(r"[A-Za-z]+(?:-[A-Za-z]{2,})*")
_ABBREVIATIONS = ("Rs", "US", "pct", "kph", "mph", "rpm", "lbs", "hrs", "mins")
_NO_LETTERS = ("ell", "eta", "mu", "nu", "xi")  # products or words, unless written \eta


def letters(run: str, last: str) -> list[Node]:
    """The nodes of a run of letters. last: the kind of the node before it."""
    name = RENAMED.get(run, run)
    if "-" not in run:
        if name in FUNCTIONS and len(name) > 1:
            return [Node("fn", name)]
        if run in PLAIN:
            return [Node("sym", PLAIN[run])]
        if run in GREEK and run not in _NO_LETTERS:
            return [Node("let", f"\\{run}")]
        if is_product(run, last in ("num", "frac", "op", "close", "sqrt", "word")):
            return [Node("let", letter) for letter in run]
    return [Node("word", run)]


def is_product(run: str, after_number: bool = False) -> bool:
    """Whether letters side by side are a product (ab, xyz, ABC) and no word (Amy, odd, cm after a number)."""
    if len(run) == 1:
        return True
    if run.lower() in WORDS or run in _ABBREVIATIONS or after_number and run in UNITS_2:
        return False
    if len(run) == 2:
        return True
    if run.isupper():
        return False  # a triangle, an angle, YES
    if set(run) <= set("wxyz"):
        return True
    alphabetical = list(run) == sorted(set(run))
    vowel = any(char in "aeiouy" for char in run.lower()) and not alphabetical
    if after_number and run in UNITS:
        return False
    return not vowel and run.islower() and len(run) <= 5
