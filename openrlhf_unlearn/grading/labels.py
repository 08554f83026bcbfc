"""Labels that cannot be graded, or that hardly any answer can match, found before training starts.

A label that nothing can match would look like a prompt too hard.
"""

import re
from collections.abc import Sequence

from tqdm import tqdm

from openrlhf_unlearn.grading.grade import text_of
from openrlhf_unlearn.grading.labelling import note
from openrlhf_unlearn.grading.pool import MathGrader

_INTEGER = re.compile(r"\s{0,99}[+-]?[0-9]{1,15}\s{0,99}")
CHUNK = 256


def check_labels(labels: Sequence[object], answer_format: str = "auto", workers: int = 2) -> list[int]:
    """The rows, from 0, whose label cannot be graded: missing, empty, or without a value. Each text is asked once."""
    texts = list(map(text_of, labels))
    plain = answer_format in ("auto", "boxed", "last_number")
    doubtful = sorted({text for text in texts if not (plain and _INTEGER.fullmatch(text))})
    bad: set[str] = set()
    if doubtful:
        with MathGrader(workers, timeout_s=5.0, answer_format=answer_format) as grader:
            for start in tqdm(range(0, len(doubtful), CHUNK), "labels", leave=False, disable=None):
                chunk = doubtful[start : start + CHUNK]
                bad |= {text for text, good in zip(chunk, grader.gradable(chunk), strict=True) if not good}
    return [row for row, text in enumerate(texts) if text in bad]


def doubtful_labels(labels: Sequence[object]) -> list[int]:
    """The rows, from 0, whose label can be graded, but is read as only a part of it, or matched only by its words."""
    return [row for row, text in enumerate(map(text_of, labels)) if (found := note(text)) and found.gradable]


def label_table(labels: Sequence[object], rows: list[int], places: list[str] | None = None, limit: int = 10) -> str:
    """Labels as a table to print, with what is the matter; `places` says where each stands, else its row, from 1."""
    lines = [f"{'where':>10}  label"]
    for row in rows[:limit]:
        place, found = places[row] if places else f"row {row + 1}", note(text_of(labels[row]))
        matter = f"  {found.what}: {found.advice}" if found else ""
        lines.append(f"{place:>10}  {str(labels[row])[:100]!r}{matter}")
    return "\n".join(lines + ([f"       ...  and {len(rows) - limit} more"] if len(rows) > limit else []))
