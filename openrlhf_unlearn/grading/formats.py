r"""Where the answer stands in a response and how two answers are compared, by `--unlearn.answer_format`.

Runs inside a worker process: whatever hangs here is killed from outside, so math-verify's own alarms are off.
"""

import re

from openrlhf_unlearn.grading.grade import Grade, last_boxed

FORMATS = ("auto", "boxed", "last_number", "choice", "text")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?|-?\.\d+")
_CHOICE = re.compile(r"\b([A-J])\b")
_DELIMITED = re.compile(r"\$|\\boxed|\\\(|\\\[")


def parse_gold(label: str) -> list:
    """math-verify's reading of a label, bare LaTeX included; [] if it is none."""
    from math_verify import parse

    text = label if _DELIMITED.search(label) else f"${label}$"
    return parse(text, parsing_timeout=None) or parse(label, parsing_timeout=None)


def label_is_gradable(label: str, answer_format: str) -> bool:
    if not label.strip():
        return False
    if answer_format == "text":
        return True
    if answer_format == "choice":
        return bool(_CHOICE.fullmatch(label.strip().strip("().").upper()))
    if answer_format == "last_number":
        return bool(_NUMBER.search(label))
    return bool(parse_gold(label))


def grade_one(response: str, label: str, answer_format: str) -> Grade:
    """The grade of one response. Whatever it raises is the verdict `error` (see worker.py)."""
    if not label_is_gradable(label, answer_format):
        return Grade.of("bad_label")
    if answer_format == "text":
        answer = last_boxed(response) or response.strip()
        return _compared(answer, " ".join(answer.split()).casefold() == " ".join(label.split()).casefold())
    if answer_format == "choice":
        answer = _last(_CHOICE, last_boxed(response) or response)
        return _compared(answer, answer == label.strip().strip("().").upper())
    if answer_format == "last_number":
        answer = _last(_NUMBER, response)
        return _verified(f"${answer}$", label, answer) if answer else Grade.of("no_answer")
    boxed = last_boxed(response)
    if boxed is None and (answer_format == "boxed" or "\\boxed" in response):
        return Grade.of("no_answer")
    return _verified(f"\\boxed{{{boxed}}}" if boxed is not None else response, label, boxed)


def _last(pattern: re.Pattern, text: str) -> str | None:
    found = pattern.findall(text)
    return found[-1] if found else None


def _compared(answer: str | None, same: bool) -> Grade:
    return Grade.of("correct" if same else "wrong", answer) if answer else Grade.of("no_answer")


def _verified(text: str, label: str, answer: str | None) -> Grade:
    from math_verify import parse, verify

    parsed = parse(text, parsing_timeout=None)
    if not parsed:
        return Grade.of("wrong", answer) if answer else Grade.of("no_answer")
    same = verify(parse_gold(label), parsed, timeout_seconds=None)
    # The last parsed item is the answer as it was written; str() of the first could run for ever.
    return Grade.of("correct" if same else "wrong", answer if answer is not None else parsed[-1])
