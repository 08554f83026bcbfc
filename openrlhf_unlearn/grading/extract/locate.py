"""The order in which the rules look for an answer."""

import re

from openrlhf_unlearn.grading.extract.anchors import anchored_answer
from openrlhf_unlearn.grading.extract.boxes import boxed_answer, has_box
from openrlhf_unlearn.grading.extract.endings import last_formula
from openrlhf_unlearn.grading.extract.found import MAX_ANSWER, Found
from openrlhf_unlearn.grading.extract.response import said
from openrlhf_unlearn.grading.extract.short import CONCLUDES, short_answer

_TAG = re.compile(r"<answer>([^<]*(?:<(?!/?answer>)[^<]*)*)(?:</answer>|\Z)", re.IGNORECASE)


def locate(response: str) -> Found | None:
    """The answer of format `auto` and where it was found; None if the response has none."""
    return _locate(said(response))


def _locate(text: str) -> Found | None:
    if has_box(text):
        answer = boxed_answer(text)
        return Found(answer, "box") if answer else None
    if tags := _TAG.findall(text):
        inside = _locate(tags[-1].strip())
        return Found(inside.answer if inside else tags[-1].strip(), "answer tag") if tags[-1].strip() else None
    if answer := anchored_answer(text):
        return Found(answer[:MAX_ANSWER], "anchor")
    if found := last_formula(text):
        return Found(found.answer[:MAX_ANSWER], found.rule)
    last = text.rpartition("\n")[2]
    answer = short_answer(text) or (
        short_answer(last) if CONCLUDES.match(last) and last.endswith((".", "!", "。")) else None
    )
    return Found(answer, "short") if answer else None


def find_answer(response: str) -> str | None:
    """The answer of format `auto`; None if the response has none."""
    found = locate(response)
    return found.answer if found else None


def missing(response: str) -> str:
    """Why a response has no answer."""
    text = said(response)
    if not text:
        return "cut off within its thoughts, or nothing after them" if response.strip() else "an empty response"
    return "the last box is empty or open" if has_box(text) else "no box, no answer sentence, no final formula"
