"""Answer formats: how an answer is found in a response and compared with the label, by `--unlearn.answer_format`.

A user's own is `path.py:Name`: a class without arguments whose `grade(responses, labels)` gives a Grade each, and, if
it likes, `gradable(label) -> bool`. It runs in the same killable processes, one response a call.
"""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Protocol

from openrlhf_unlearn.grading.extract import boxed_answer, find_answer, last_choice, last_number, without_end
from openrlhf_unlearn.grading.grade import Grade
from openrlhf_unlearn.grading.gym import ReasoningGym


class Format(Protocol):
    def gradable(self, label: str) -> bool: ...
    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]: ...


class Maths:
    """`auto`: see extract.py for where the answer stands; a label that is one letter makes it multiple choice."""

    def answer(self, response: str) -> str | None:
        return find_answer(response)

    def gradable(self, label: str) -> bool:
        from openrlhf_unlearn.grading.reading import is_readable

        return is_readable(label)

    def same(self, answer: str, label: str) -> bool:
        from openrlhf_unlearn.grading.compare import same

        letter = _letter(label)
        return same(answer, label) or (letter is not None and _leading_letter(answer) == letter)

    def grade(self, responses: list[str], labels: list[str]) -> list[Grade]:
        return [self._grade(response, label) for response, label in zip(responses, labels, strict=True)]

    def _grade(self, response: str, label: str) -> Grade:
        if not self.gradable(label):
            return Grade.of("bad_label")
        answer = self.answer(response)
        if not answer:
            return Grade.of("no_answer")
        return Grade.of("correct" if self.same(answer, label) else "wrong", answer)


class Boxed(Maths):
    r"""`boxed`: only \boxed{…} is an answer."""

    def answer(self, response: str) -> str | None:
        return boxed_answer(without_end(response))


class LastNumber(Maths):
    """`last_number`: the last number of the response, whatever stands around it."""

    def answer(self, response: str) -> str | None:
        return last_number(without_end(response))

    def gradable(self, label: str) -> bool:
        return last_number(label) is not None and super().gradable(label)


class Choice(Maths):
    """`choice`: the last capital letter A to J that stands alone, in the box if there is one."""

    def answer(self, response: str) -> str | None:
        text = without_end(response)
        return last_choice(boxed_answer(text) or find_answer(text) or "") or last_choice(text)

    def gradable(self, label: str) -> bool:
        return _letter(label) is not None

    def same(self, answer: str, label: str) -> bool:
        return answer == _letter(label)


class Text(Maths):
    """`text`: the same words, without regard to case, spaces and LaTeX's \\text{…}."""

    def gradable(self, label: str) -> bool:
        return bool(label.strip())

    def same(self, answer: str, label: str) -> bool:
        from openrlhf_unlearn.grading.reading import words, writing

        return writing(answer).casefold() == writing(label).casefold() or words(answer) == words(label) != ""


class Lenient(Maths):
    """`lenient`, for `regrade`: what a person might let pass. The same number to four digits, wherever it stands."""

    def answer(self, response: str) -> str | None:
        return find_answer(response) or last_number(without_end(response))

    def same(self, answer: str, label: str) -> bool:
        from openrlhf_unlearn.grading.reading import value

        if super().same(answer, label):
            return True
        gold = value(label)
        readings = [answer, answer.rpartition("=")[2], last_number(answer) or ""]
        values = [found for found in map(value, readings) if found is not None]
        return gold is not None and any(abs(found - gold) <= 1e-4 * abs(gold) for found in values)


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
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    module_spec.loader.exec_module(module)
    if not hasattr(module, name):
        raise AttributeError(f"{path} has no {name}")
    return getattr(module, name)()


def _letter(label: str) -> str | None:
    r"""The letter of a multiple-choice label: B, (B), \text{(B)}, B."""
    from openrlhf_unlearn.grading.reading import words

    letter = words(label).upper()
    return letter if len(letter) == 1 and "A" <= letter <= "J" and label.strip(" ().${}") != letter.lower() else None


def _leading_letter(answer: str) -> str | None:
    r"""The letter that an answer like "(B) 12", "B: twelve" or \textbf{(B)} starts with."""
    from openrlhf_unlearn.grading.reading import prepared

    text = re.sub(r"^(?:[\s{(]|\\text(?:bf)?|\\mathrm|(?i:option|choice)\s)+", "", prepared(answer))
    follows = text[1:2]
    return text[0] if text and "A" <= text[0] <= "J" and (not follows or follows in ")}.:,") else None
