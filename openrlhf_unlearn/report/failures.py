"""How the final evaluation's samples fail, in kinds that have a name, a count and their prompts.

Each wrong sample is of the first kind that it meets, in the order of KINDS; what is left over is grouped by its words.
A kind that no sample meets is not listed. The nulls: where the evaluation does not know its limit of tokens, nothing is
called cut off; two answers that agree by chance are no agreement (four samples and CONSENSUS of them); hits are called
a lucky guess only where the label is also what the model answers elsewhere, and as often as the hits come; and words
name a group only if most of it holds them and little else does.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.stats import binom

from openrlhf_unlearn.grading.formula.units import unit_of
from openrlhf_unlearn.report.rollouts import Sample
from openrlhf_unlearn.report.wording import wordings

CONSENSUS = 0.6  # share of a prompt's samples that give one and the same answer, graded wrong, from which we ask why
FEWEST = 4  # samples of a prompt below which they agree on nothing
GUESS_SAMPLES, GUESS_LEVEL = 8, 0.05  # samples a prompt, and the level at which more hits are no guessing
KINDS = {
    "cut_off": ("Cut off", "stopped at the evaluation's limit of tokens"),
    "refused": ("Refused", "no answer, but words of refusal"),
    "no_answer": ("No answer", "nothing that could be graded was found"),
    "grader": ("Not graded", "the grader ran out of time or failed, or the label cannot be graded"),
    "unit": ("Wrong unit", "the label's number with another unit"),
    "same_answer": ("Same wrong answer", "one answer, given by most of the prompt's samples"),
    "guess": ("Perhaps lucky guesses", "right, but no more often than answers to other prompts would hit the label"),
}
_REFUSAL = re.compile(
    r"\b(?:I(?:['’]m| am) (?:sorry|unable|not able)|I (?:cannot|can['’]t) (?:help|assist|answer|provide|solve)|"
    r"as an AI\b|(?:cannot|can['’]t) be (?:answered|determined) (?:from|with) the)",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"\\(?:text|mathrm|mbox|textbf|operatorname)\s*\{([^{}]*)\}|\\[ ,;!]|[~$]")
_AMOUNT = re.compile(r"\s*([-+]?[\d.,]*\d(?:\s*/\s*\d+)?)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """One way to fail: `rows` are its prompts, `samples` how many of the final evaluation's are of it."""

    key: str
    name: str
    meaning: str
    samples: int
    rows: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "meaning": self.meaning, "samples": self.samples, "prompts": len(self.rows)}


@dataclass(frozen=True)
class Failures:
    """`samples`: how many were looked at, `wrong` how many of them failed, `prompts` of how many prompts."""

    samples: int
    wrong: int
    prompts: int
    kinds: list[Kind]

    def as_dict(self) -> dict[str, Any]:
        counts = {"samples": self.samples, "wrong": self.wrong, "prompts": self.prompts}
        return {**counts, "kinds": [kind.as_dict() for kind in self.kinds]}


def failures(
    samples: Sequence[Sample], answers: Sequence[str], labels: Sequence[str], limit: int | None
) -> Failures | None:
    """samples: of the prompts to look at, with their answers ("" where there is none); labels: of every row; limit: of
    new tokens, where the evaluation knows it. None without samples."""
    if not samples:
        return None
    agreed = consensus(samples, answers)
    kinds = [_kind(*one, agreed, labels, limit) for one in zip(samples, answers, strict=True)]
    lucky = guesses(samples, answers, labels)
    kinds = ["guess" if kind == "right" and s.row in lucky else kind for kind, s in zip(kinds, samples, strict=True)]
    found = [
        _collect(key, *KINDS[key], [s.row for s, k in zip(samples, kinds, strict=True) if k == key]) for key in KINDS
    ]
    others = [sample for sample, kind in zip(samples, kinds, strict=True) if kind == "other"]
    for words, members in wordings([sample.response for sample in others]):
        said = ", ".join(f"“{word}”" for word in words)
        rows = [others[i].row for i in members]
        found.append(_collect("words " + " ".join(words), f"Says {said}", "wrong, and told apart by these words", rows))
    wrong = sum(not sample.right for sample in samples)
    return Failures(len(samples), wrong, len({s.row for s in samples}), [kind for kind in found if kind.samples])


def _collect(key: str, name: str, meaning: str, rows: list[int]) -> Kind:
    return Kind(key, name, meaning, len(rows), np.unique(np.array(rows, dtype=np.int64)))


def _kind(sample: Sample, answer: str, agreed: dict[int, str], labels: Sequence[str], limit: int | None) -> str:
    if sample.right:
        return "right"
    if limit and sample.n_tokens is not None and sample.n_tokens >= limit:
        return "cut_off"
    silent = sample.verdict == "no_answer"
    if (silent or not answer) and _REFUSAL.search(sample.response):  # others' rollouts have a reward and no verdict
        return "refused"
    if silent:
        return "no_answer"
    if sample.verdict in ("timeout", "error", "bad_label"):
        return "grader"
    if answer and other_unit(answer, labels[sample.row]):
        return "unit"
    return "same_answer" if answer and agreed.get(sample.row) == answer else "other"


def consensus(samples: Sequence[Sample], answers: Sequence[str]) -> dict[int, str]:
    """Row → the wrong answer that at least CONSENSUS of its samples agree on."""
    given: dict[int, Counter[str]] = {}
    for sample, answer in zip(samples, answers, strict=True):
        given.setdefault(sample.row, Counter[str]())[answer if sample.verdict == "wrong" else ""] += 1
    found: dict[int, str] = {}
    for row, counts in given.items():
        total = counts.total()
        top, times = max(((a, n) for a, n in counts.items() if a), key=lambda one: one[1], default=("", 0))
        if top and times >= CONSENSUS * total and total >= FEWEST:
            found[row] = top
    return found


def guesses(samples: Sequence[Sample], answers: Sequence[str], labels: Sequence[str]) -> set[int]:
    """Rows whose right samples come no oftener than the answers of all other prompts' samples would hit the label."""
    n, hits, all_answers, own = Counter[int](), Counter[int](), Counter[str](), Counter[tuple[int, str]]()
    for sample, answer in zip(samples, answers, strict=True):
        said = labels[sample.row].strip() if sample.right else answer  # right answers in one writing
        n[sample.row] += 1
        hits[sample.row] += sample.right
        all_answers[said] += 1
        own[sample.row, said] += 1
    found: set[int] = set()
    for row, right in hits.items():
        label = labels[row].strip()
        others = len(samples) - n[row]
        if right and label and others and n[row] >= GUESS_SAMPLES:
            rate = (all_answers[label] - own[row, label]) / others
            if binom.sf(right - 1, n[row], rate) > GUESS_LEVEL:
                found.add(row)
    return found


def other_unit(answer: str, label: str) -> bool:
    """Whether both are one number, each with a unit, and the units differ."""
    (number, unit), (other, wanted) = _amount(answer), _amount(label)
    return bool(unit and wanted and unit != wanted and number is not None and number == other)


def _amount(text: str) -> tuple[Fraction | None, str | None]:
    """The number and its unit in one writing; None where there is none."""
    match = _AMOUNT.fullmatch(_MARKUP.sub(r" \1 ", text))
    try:
        number = Fraction("".join(match[1].split()).replace(",", "")) if match else None
    except (ValueError, ZeroDivisionError):
        return None, None
    return number, unit_of(re.findall(r"\^\s*\{?\d\}?|/|[^\s/^]+", match[2])) if match else None
