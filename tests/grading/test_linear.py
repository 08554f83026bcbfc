"""No answer, response or label takes our own code more than linear time: twice the length costs about twice the time.

What is measured is processor time of this thread; costs below a twentieth of a second are not told apart.
"""

import ast
import importlib
import pkgutil
import re
import time
from contextlib import suppress
from pathlib import Path

import pytest

from openrlhf_unlearn import grading
from openrlhf_unlearn.grading import choices, extract, labelling
from openrlhf_unlearn.grading.classify import shape
from openrlhf_unlearn.grading.formula.nodes import Unreadable

LENGTH, READ, FLOOR_S = 10_000, 3_000, 0.05  # characters of a response, and of a formula
PIECES = r"""
$ $$ \[ \( \ { } \boxed{ \boxed ( [ A) (A) A, 1, 0, 000, 1,234 1\, {,} ... \text{ \frac \sqrt \dot1 \overline \left(
\begin{pmatrix} \\ & _ ^ ^{ 1.1 e1 E+ = < + ' ` ** * #### # > | : 1: ab -a a- a. a; 。 答案 answer answer: is <eos>
<think> </think> <answer> </answer> <answer [THINK] <|a|> or
"""
PHRASES = [
    " ",
    "\n",
    "\n\n",
    "$1$ and ",
    "1/2 ",
    "A, ",
    "so ",
    "not ",
    "a' ",
    "the answer is ",
    "Final Answer\n",
    "x ,",
    "because ,",
]
PHRASES += ["\\begin{align*}", "\\end{align*}", "I doubt ", "not sure ", "- ", "====\n", "comb(1,", "3 min "]
PHRASES += ["cannot be determined from the data + given ", "x=1 or ", "\nUser", "is 5 or "]


def read(text: str) -> None:
    with suppress(Unreadable, RecursionError):
        shape(text)


FUNCTIONS = [
    extract.said,
    extract.locate,
    extract.boxed_answer,
    extract.anchored_answer,
    extract.last_formula,
    extract.short_answer,
    extract.last_number,
    extract.last_choice,
    choices.letter_and_rest,
    choices.letters_of,
    labelling.value_of,
    labelling.note,
    read,
]


def cost(function, text: str) -> float:
    labelling.value_of.cache_clear()
    start = time.thread_time()
    function(text)
    return time.thread_time() - start


def growth(function, once: str, twice: str) -> float:
    """How many times as long the longer text takes, by the least of each: until plainly linear, or often enough."""
    costs = [], []
    for _ in range(30):
        for text, kept in zip((once, twice), costs, strict=True):
            kept.append(cost(function, text))
        if min(costs[1]) < 2.5 * min(costs[0]):
            break
    return min(costs[1]) / min(costs[0])


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_twice_the_length_takes_about_twice_the_time(function):
    """A formula begins with a letter; a response also with words after which an answer is looked for."""
    slow = []
    length, starts = (READ, ["x"]) if function is read else (LENGTH, ["x", "The answer is "])
    for piece in PIECES.split() + PHRASES:
        for start in starts:
            once, twice = start + piece * (length // len(piece)), start + piece * (2 * length // len(piece))
            if cost(function, twice) < FLOOR_S:
                continue
            if (grown := growth(function, once, twice)) > 3:
                slow.append((start, piece, grown))
    assert slow == []


def expressions() -> dict[str, re.Pattern]:
    """Every regular expression of the package: the compiled ones, and the texts that functions give to re."""
    found = {}
    for module in pkgutil.walk_packages(grading.__path__, grading.__name__ + "."):
        loaded = importlib.import_module(module.name)
        found |= {value.pattern: value for value in vars(loaded).values() if isinstance(value, re.Pattern)}
        for node in ast.walk(ast.parse(Path(loaded.__file__).read_text(encoding="utf-8"))):
            written = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args
            if written and isinstance(node.args[0], ast.Constant):
                found.setdefault(node.args[0].value, re.compile(node.args[0].value))
    return found


@pytest.mark.parametrize("pattern", expressions().values(), ids=lambda pattern: pattern.pattern[:30])
def test_every_regular_expression_is_linear(pattern):
    """Over texts that begin to match it again and again; a quadratic one takes longer than the floor at this length."""
    slow = []
    for piece in PIECES.split() + PHRASES:
        once, twice = piece * (1_000 // len(piece)), piece * (2_000 // len(piece))
        if cost(pattern.findall, twice) < FLOOR_S / 2.5:
            continue
        if growth(pattern.findall, once, twice) > 3:
            slow.append(piece)
    assert slow == []


@pytest.mark.parametrize(
    "words", ["cannot be determined from the data + given", "It is given that the angles add up to $180$"]
)
def test_a_sentence_is_no_hang_neither_as_an_answer_nor_as_a_label(grader, words):
    """Both once took a word pattern of ours longer than any deadline."""
    answers = grader.grade([rf"\boxed{{{words}}}"] * 2, ["7", "Yes"]) + grader.grade([r"\boxed{7}"], [words])
    assert [grade.verdict for grade in answers] == ["wrong"] * 3
