"""Answers in words: the same words, or two ways to say one thing."""

import re

from openrlhf_unlearn.grading.classify.shapes import Quantity, Shape, Words
from openrlhf_unlearn.grading.formula.symbols import ALL_REALS

_SYNONYMS = (
    ALL_REALS,
    {"no solution", "no solutions", "no real solution", "no real solutions", "empty set", "the empty set", "无解",
     "空集", "there is no solution", "there are no solutions"},
)  # fmt: skip
REALS, EMPTY = _SYNONYMS
_ARTICLE = re.compile(r"(?:the|an?|it is|they are|it's)\s+")


def spoken(what: Shape) -> str:
    """The words of an answer that is nothing but words, in lower case; "" if it holds anything else."""
    if not isinstance(what, Words | Quantity):
        return ""
    if not all(node.kind in ("word", "let", "mark", "conj", "fn") and node.text != "$" for node in what.nodes):
        return ""
    if isinstance(what, Quantity):
        return "".join(node.text for node in what.nodes) if all(node.kind == "let" for node in what.nodes) else ""
    text = " ".join(node.text for node in what.nodes if node.kind != "mark").casefold()
    return _ARTICLE.sub("", text, count=1) if _ARTICLE.match(text) else text


def same_words(a: Shape, b: Shape) -> bool:
    said = spoken(a), spoken(b)
    if not all(said) or isinstance(a, Quantity) and isinstance(b, Quantity):
        return False
    letters = [re.sub(r"[\s'-]", "", text).casefold() for text in said]
    return letters[0] == letters[1] or any(set(said) <= group for group in _SYNONYMS)
