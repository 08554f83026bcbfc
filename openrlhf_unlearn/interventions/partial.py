r"""Partial solutions: the beginning of a worked solution, without its answer.

QuestA (arXiv 2507.13266) puts the first half or quarter of a solution into the question, POPE (2601.18779) a prefix of
it; both then take the help away. The share is of the working: the text before the last box, or without a box before a
last line of `#### ANSWER` as GSM8K writes it, up to the first sentence or line that holds that answer or the label. It
is never shown, however large the share, since a question that holds its answer teaches to copy.

An answer is compared as tokens, numbers by their value: 72 is in `=72>>72` and 72.0, not in 172, 7.2 or 72.5. One that
the question holds too (how many of the 72 …) or that is a single letter (the article A) ends the working only where it
is said: after `=`, `>>`, a box or "is", or in parentheses or after a colon that follow one of these. A number in an
index, an exponent, "Step 1" or at the head of a line is no answer.
"""

import re
from decimal import Decimal

from openrlhf_unlearn.grading.extract import boxed_answer

_BOX = r"\boxed"
_LAST_LINE = re.compile(r"^[ \t]*####([^\n]*)\Z", re.MULTILINE)
_BREAK = re.compile(r"\s+(?=\S*$)")  # the last white space
_STEP = re.compile(r".+?(?:[.!?](?=\s)|\n|\Z)", re.DOTALL)
_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\\?[^\W\d_]+|>>|\S")
_SAID_AFTER = (["="], [">>"], [_BOX], ["is"])
_COUNTS = (["_"], ["^"], ["step"], ["case"], ["part"])
_OPENS = ("(", "[", ":")
_UNIT = re.compile(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}(?:\^\{?\d\}?)?\s*\Z")
_ONE_FORM = (  # how one answer is written in several ways; the order matters
    (re.compile(r"(?<=\d)(?:\{,\}|,\\!|\\[,!]|,)(?=\d{3}(?!\d))"), ""),  # 1,042
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\sqrt\s*\{(\w)\}"), r"\\sqrt\1"),
    (re.compile(r"\\frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))"), r" \1\2/\3\4 "),
    (re.compile(r"\^\s*\{?\s*\\circ|\\(?:left|right|text|mathrm|mbox|textbf|mathbf|quad)(?![A-Za-z])"), " "),
    (re.compile(r"\\\\|\\[][(),;:!%$ ]|\*\*|[${}%&~°]"), " "),
    (re.compile("[−–]"), "-"),
)


def working(solution: str, question: str = "", label: str = "") -> str:
    """The solution up to the first sentence or line that holds its answer, or the label."""
    solution = solution.rstrip()
    text = solution[: solution.rindex(_BOX)] if _BOX in solution else _LAST_LINE.sub("", solution)
    return _without(text, _answers(solution, label), _tokens(question))


def prefix(solution: str, share: float, question: str = "", label: str = "") -> str:
    """The first `share` (0 to 1) of the working, in characters, ended at white space where some is near."""
    text = working(solution, question, label)
    cut = text[: round(share * len(text))]
    if len(cut) < len(text) and not text[len(cut)].isspace():
        near = _BREAK.search(cut)
        cut = cut[: near.start()] if near and near.start() > len(cut) / 2 else cut
        cut = _without(cut, _answers(solution, label), _tokens(question))  # 72 of 725
    return cut.rstrip()


def shows(text: str, question: str, label: str) -> bool:
    """Whether the text holds the label as a token of its own."""
    return len(_without(text, _answers("", label), _tokens(question))) < len(text)


def _answers(solution: str, label: str) -> list[list[str]]:
    answers = (_final(solution), _final(label) or label)
    return [_tokens(_UNIT.sub("", answer)) or _tokens(answer) for answer in answers]


def _final(solution: str) -> str:
    """What the last box holds, or the last line of `####`; empty where there is neither."""
    line = _LAST_LINE.search(solution.rstrip())
    return boxed_answer(solution) or (line[1] if line else "")


def _without(text: str, answers: list[list[str]], asked: list[str]) -> str:
    """`text` up to the first sentence or line with one of the answers."""
    steps = [(step.start(), token) for step in _STEP.finditer(text) for token in _tokens(step[0])]
    tokens, starts = [token for _, token in steps], [start for start, _ in steps]
    found = []
    for answer in answers:
        common = _places(answer, asked) or (len(answer) == 1 and len(answer[0]) == 1 and answer[0].isalpha())
        for place in _places(answer, tokens):
            before, first = tokens[max(0, place - 3) : place], starts[place - 1 : place] != starts[place : place + 1]
            counts = before[-1:] in _COUNTS or (first and tokens[place + 1 : place + 2] in ([")"], ["."]))
            if _is_said(before) or not (common or counts):
                found.append(place)
    return text[: steps[min(found)][0]] if found else text


def _is_said(before: list[str]) -> bool:
    """Whether an answer stands after these tokens as one: what opens it, `(` or `:`, does not part it from them."""
    while before and before[-1] in _OPENS:
        before = before[:-1]
    return before[-1:] in _SAID_AFTER


def _places(answer: list[str], tokens: list[str]) -> list[int]:
    return [i for i in range(len(tokens)) if answer and tokens[i : i + len(answer)] == answer]


def _tokens(text: str) -> list[str]:
    for form, one in _ONE_FORM:
        text = form.sub(one, text)
    return [_value(token) for token in _TOKEN.findall(text)]


def _value(token: str) -> str:
    """72 of 072 and 72.0; a word in lower case, but for a single letter: A is a choice, a is none."""
    if token[-1].isdecimal():
        return str(Decimal(token).normalize())
    return token.casefold() if len(token) > 1 else token
