"""`reasoning_gym`: any task of the package reasoning-gym, by the task's own `score_answer`.

The label is the task's entry as JSON text, {"answer": …, "metadata": {"source_dataset": …, …}}, which carries all that
a scorer needs; with "completion": true in it the answer is the response's first line (openrlhf-unlearn tasks --shots).
Some tasks give parts of a point for near answers; only a full point is `correct`, as for every other format, so that a
pass rate means the same everywhere. `nan` and `inf` are wrong unless the entry's own answer has such a word: scorers
that compare floats may take them for any number.
"""

import functools
import importlib
import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.extract import Found, locate, missing, said
from openrlhf_unlearn.grading.grade import Grade

Entry: TypeAlias = dict[str, Any]  # of a data set of reasoning-gym
FULL = 1 - 1e-9  # scores are floats
_NOT_FINITE = re.compile(r"(?<![a-z])(nan|inf(inity)?)[ij]?(?![a-z])", re.IGNORECASE)
_TAGGED = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL)


class ReasoningGym:
    """Grades as the other formats do, in the same processes; a label that is no entry is `bad_label`."""

    def __init__(self) -> None:
        try:
            importlib.import_module("reasoning_gym")
        except ImportError as error:
            raise UserError(
                f"the answer format reasoning_gym needs the package ({error}): pip install 'openrlhf-unlearn[tasks]'"
            ) from None

    def gradable(self, label: str) -> bool:
        return _scorer(label) is not None

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        return [self._grade(response, label) for response, label in zip(responses, labels, strict=True)]

    def _grade(self, response: str, label: str) -> Grade:
        score = _scorer(label)
        if score is None:
            return Grade.of("bad_label", None, "the label is no entry of a reasoning-gym task")
        found = first_line(response) if _is_completion(label) else locate_task_answer(response)
        if not found or not found.answer:
            return Grade.of("no_answer", None, missing(response))
        points = score(found.answer)
        verdict = "correct" if points >= FULL else "wrong"
        return Grade.of(verdict, found.answer, f"{found.rule}; the task gives {points:g} of 1")


def locate_task_answer(response: str) -> Found | None:
    """The last <answer>…</answer>, line breaks kept; else what `auto` finds; else a response of a single line."""
    text = said(response).strip()
    tagged = _TAGGED.findall(text)
    if tagged:
        return Found(tagged[-1].strip(), "answer tag")
    return locate(response) or (Found(text, "one line") if text and "\n" not in text else None)


def first_line(response: str) -> Found | None:
    """What a model that completes solved examples has written before it goes on with the next one."""
    line = said(response).strip().partition("\n")[0].strip()
    return Found(line, "first line") if line else None


@functools.lru_cache(maxsize=1024)
def _is_completion(label: str) -> bool:
    return json.loads(label).get("completion") is True


@functools.lru_cache(maxsize=1024)
def _scorer(label: str) -> Callable[[str], float] | None:
    """answer → score in [0, 1] for the entry in `label`; None if it is no entry, or rejects its own answer."""
    get_score_answer_fn = importlib.import_module("reasoning_gym").get_score_answer_fn
    try:
        entry = json.loads(label)
        score_answer = get_score_answer_fn(entry["metadata"]["source_dataset"])
        reference = entry["answer"]
    except (ValueError, KeyError, TypeError):
        return None
    # JSON has lists where some scorers compare with tuples: the reading under which the task's own answer is right.
    # A task without an answer of its own has many right ones, which its scorer knows by the metadata.
    for reading in (entry, {**entry, "metadata": _tuples(entry["metadata"])}):
        score = functools.partial(_score, score_answer, reading)
        if reference is None or score(reference) >= FULL:
            return score
    return None


def _score(score_answer: Callable[[str, Entry], float], entry: Entry, answer: str) -> float:
    """The task's score; 0 for an answer that its scorer cannot read, since it reads the task's own."""
    try:
        if _NOT_FINITE.search(answer) and not _NOT_FINITE.search(str(entry["answer"])):
            return 0.0
        return score_answer(answer, entry)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return 0.0


def _tuples(value: Any) -> Any:
    """Its lists as tuples, at every depth."""
    if isinstance(value, list):
        return tuple(map(_tuples, cast("list[Any]", value)))
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in cast(Entry, value).items()}
    return value
