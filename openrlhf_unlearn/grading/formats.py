"""Answer formats: how an answer is found in a response and compared with the label, by `--unlearn.answer_format`.

A user's own is `path.py:Name`: a class without arguments whose `grade(responses, labels)` gives a Grade each, and, if
it likes, `gradable(label) -> bool`. It runs in the same killable processes, one response a call.
"""

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from openrlhf_unlearn.grading.choices import letter_of
from openrlhf_unlearn.grading.extract import (
    Found,
    boxed_answer,
    find_answer,
    last_choice,
    last_number,
    locate,
    missing,
    said,
)
from openrlhf_unlearn.grading.grade import Grade
from openrlhf_unlearn.grading.gym import ReasoningGym


class Format(Protocol):
    def gradable(self, label: str) -> bool: ...
    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]: ...


class Maths:
    """`auto`: find the answer (extract/), normalise (formula/), classify (classify/), compare (compare/).

    A label that is one letter A to J makes it multiple choice.
    """

    def locate(self, response: str) -> Found | None:
        return locate(response)

    def gradable(self, label: str) -> bool:
        from openrlhf_unlearn.grading.labelling import gradable

        return gradable(label)

    def decide(self, answer: str, label: str) -> str | None:
        """The rule by which the answer is the label, None if none does."""
        from openrlhf_unlearn.grading.choices import chooses
        from openrlhf_unlearn.grading.compare import decide
        from openrlhf_unlearn.grading.labelling import value_of

        label = value_of(label)
        return chooses(answer, label) or decide(answer, label)

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        return [self._grade(response, label) for response, label in zip(responses, labels, strict=True)]

    def _grade(self, response: str, label: str) -> Grade:
        if not self.gradable(label):
            return Grade.of("bad_label", None, "the label has no value and no words")
        found = self.locate(response)
        if not found or not found.answer.strip():
            return Grade.of("no_answer", None, missing(response))
        rule = self.decide(found.answer, label)
        if rule:
            return Grade.of("correct", found.answer, f"{found.rule}; {rule}")
        return Grade.of("wrong", found.answer, f"{found.rule}; {self.why_not(found.answer, label)}")

    def why_not(self, answer: str, label: str) -> str:
        from openrlhf_unlearn.grading.compare import why_not
        from openrlhf_unlearn.grading.labelling import value_of

        return why_not(answer, value_of(label))


class Boxed(Maths):
    r"""`boxed`: only \boxed{…} is an answer."""

    def locate(self, response: str) -> Found | None:
        answer = boxed_answer(said(response))
        return Found(answer, "box") if answer else None


class LastNumber(Maths):
    """`last_number`: the last number of the response, whatever stands around it."""

    def locate(self, response: str) -> Found | None:
        number = last_number(said(response))
        return Found(number, "last number") if number else None

    def gradable(self, label: str) -> bool:
        return last_number(label) is not None and super().gradable(label)


class Choice(Maths):
    """`choice`: the last capital letter A to J that stands alone, in the box if there is one."""

    def locate(self, response: str) -> Found | None:
        text = said(response)
        letter = last_choice(boxed_answer(text) or find_answer(text) or "") or last_choice(text)
        return Found(letter, "last letter") if letter else None

    def gradable(self, label: str) -> bool:
        return letter_of(label) is not None

    def decide(self, answer: str, label: str) -> str | None:
        return "choice" if answer == letter_of(label) else None


class Text(Maths):
    """`text`: the same words, without regard to case, spaces and LaTeX's \\text{…}."""

    def gradable(self, label: str) -> bool:
        return bool(label.strip())

    def decide(self, answer: str, label: str) -> str | None:
        from openrlhf_unlearn.grading.reading import words, writing

        if writing(answer).casefold() == writing(label).casefold():
            return "same writing"
        return "words" if words(answer) == words(label) != "" else None


class Lenient(Maths):
    """`lenient`, for `regrade`: what a person might let pass. The same number wherever it stands, to four digits but
    for whole ones."""

    def locate(self, response: str) -> Found | None:
        number = last_number(said(response))
        return locate(response) or (Found(number, "last number") if number else None)

    def decide(self, answer: str, label: str) -> str | None:
        from openrlhf_unlearn.grading.reading import value

        if rule := super().decide(answer, label):
            return rule
        gold = value(label)
        readings = [answer, answer.rpartition("=")[2], last_number(answer) or ""]
        values = [found for found in map(value, readings) if found is not None]
        return "four digits" if gold is not None and any(four_digits(found, gold) for found in values) else None


def four_digits(number: complex | Fraction, gold: complex | Fraction) -> bool:
    """Whether they agree to four digits; two whole numbers are rounded by nobody and must be the same."""
    if _whole(number) and _whole(gold):
        return number == gold
    return abs(number - gold) <= 1e-4 * abs(gold)


def _whole(number: complex | Fraction) -> bool:
    return number.imag == 0 and number.real % 1 == 0


FORMATS: dict[str, type[Format]] = {
    "auto": Maths,
    "boxed": Boxed,
    "last_number": LastNumber,
    "choice": Choice,
    "text": Text,
    "lenient": Lenient,
    "reasoning_gym": ReasoningGym,
}


def load_format(spec: str) -> Format:
    """The format of that name, or the user's own from `path.py:Name`. Whatever a user's file raises goes through."""
    if spec in FORMATS:
        return FORMATS[spec]()
    path, _, name = spec.rpartition(":")
    sys.path.insert(0, str(Path(path).resolve().parent))
    module_spec = importlib.util.spec_from_file_location("unlearn_user_grader", path)
    if module_spec is None or module_spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    module_spec.loader.exec_module(module)
    if not hasattr(module, name):
        raise AttributeError(f"{path} has no {name}")
    return getattr(module, name)()
