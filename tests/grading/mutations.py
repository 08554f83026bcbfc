r"""Answers made wrong by one character or two: a digit, a sign, an operator or a bracket of a right one.

That a mutant is wrong is decided without the grader: by its value at random points, parsed with latex2sympy, and where
that cannot read it, by its kind (another digit in a number is another number).
"""

import cmath
import functools
import itertools
import random
import re

from latex2sympy2_extended import latex2sympy

from tests.grading.real import bare

KINDS = ("digit", "sign", "operator", "bracket")
_UNIT = re.compile(r"\\(?:text|mathrm|mbox|operatorname)\b|\\circ|[°%]")
_OPERATORS = {
    "+": ["-"], "<": [">"], ">": ["<"], r"\le ": ["<", r"\ge "], r"\leq ": ["<"], r"\ge ": [">", r"\le "],
    r"\geq ": [">"], r"\cdot ": ["+"], r"\times ": ["+"], r"\cup ": [r"\cap "], r"\cap ": [r"\cup "], "/": ["+"],
    r"\pm ": [""],
}  # fmt: skip
_INTERVAL = re.compile(r"[(\[]\s*[^()\[\],;]+,[^()\[\],;]+[)\]]")
_OTHER_BRACKET = {"(": "[", "[": "(", ")": "]", "]": ")"}
_POINTS = [
    {name: complex(1.3 + i * 0.37, 0.0) for i, name in enumerate("abcdkmnpqrstuvwxyz")},
    {name: complex(2.9 - i * 0.11, 0.0) for i, name in enumerate("zyxwvutsrqpnmkdcba")},
]


def changed(label: str) -> list[tuple[str, str]]:
    """All answers (kind, text) that are one change away from the label, those that still are right among them."""
    text = bare(label)
    return list(dict.fromkeys(itertools.chain(_digits(text), _signs(text), _operators(text), _brackets(text))))


def _digits(text: str):
    unit = _UNIT.search(text)
    end = unit.start() if unit else len(text)  # what follows a unit is its exponent, or words
    for match in re.finditer("[0-9]", text[:end]):
        i = match.start()
        leads = not re.search("[0-9.]$", text[:i]) and re.match("[0-9]", text[i + 1 :])
        for digit in "0123456789":
            if digit != text[i] and not (digit == "0" and leads):
                yield "digit", text[:i] + digit + text[i + 1 :]


def _signs(text: str):
    if re.match(r"-\s*[0-9a-z\\(]", text):
        yield "sign", text[1:].strip()
    elif re.match(r"[0-9]|\\d?frac|\\sqrt", text):
        yield "sign", "-" + text
    for match in re.finditer(r"(?<=[0-9a-z})])\s*-", text):
        yield "sign", text[: match.end() - 1] + "+" + text[match.end() :]


def _operators(text: str):
    for written, others in _OPERATORS.items():
        for match in re.finditer(re.escape(written.strip()) + ("(?![A-Za-z])" if "\\" in written else ""), text):
            for other in others:
                yield "operator", text[: match.start()] + other + text[match.end() :]


def _brackets(text: str):
    if _INTERVAL.search(text):
        for match in re.finditer(r"(?<!\\left)(?<!\\right)[()\[\]]", text):
            i = match.start()
            yield "bracket", text[:i] + _OTHER_BRACKET[text[i]] + text[i + 1 :]
    for match in re.finditer(r"\(([^(),]*[0-9a-z]\s*[+-]\s*[^(),]*)\)", text):
        yield "bracket", text[: match.start()] + match[1] + text[match.end() :]


def is_wrong(mutant: str, label: str, kind: str) -> bool:
    text = bare(label)
    values, others = _values(text), _values(mutant)
    if values is None or others is None:
        return kind == "digit" or (kind == "bracket" and bool(_INTERVAL.search(text)))
    return any(abs(a - b) > 1e-9 * (1 + abs(a)) for a, b in zip(values, others, strict=True))


@functools.lru_cache(maxsize=4096)
def _values(text: str) -> list[complex] | None:
    """The expression's values at two points; None for what is no plain expression."""
    text = re.sub(r"\\(?:left|right)(?![a-z])", "", text)
    if re.search(r"[=<>,;]|\\(?:le|ge|ne|in|cup|cap|pm|text|mathrm|begin|infty)", text):
        return None
    text = text.replace("[", "(").replace("]", ")") if "\\sqrt[" not in text else text  # no comma: no interval
    try:
        expression = latex2sympy(text)
        names = {str(symbol): symbol for symbol in expression.free_symbols}
        points = [{names[n]: value for n, value in point.items() if n in names} for point in _POINTS]
        values = [complex(expression.evalf(subs=point)) for point in points]
    except Exception:  # whatever its parser raises: then it cannot say
        return None
    return values if all(map(cmath.isfinite, values)) else None


def sample(labels: list[str], n: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """`n` wrong answers (kind, answer, label), the kinds in turn as long as they last, labels drawn at random."""
    rng = random.Random(seed)
    of_kind: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for label in labels:
        for kind, mutant in changed(label):
            of_kind[kind].append((mutant, label))
    for pairs in of_kind.values():
        rng.shuffle(pairs)
    chosen = []
    while len(chosen) < n and any(of_kind.values()):
        for kind, pairs in of_kind.items():
            while pairs and len(chosen) < n:
                mutant, label = pairs.pop()
                if is_wrong(mutant, label, kind):
                    chosen.append((kind, mutant, label))
                    break
    return chosen
