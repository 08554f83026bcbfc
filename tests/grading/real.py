r"""Answers of real problems in five writings, and pairs of different ones.

The problems are JSON lists of {"answer": …} in the folder OPENRLHF_UNLEARN_DATA, or ../shared/data beside the checkout.
"""

import json
import os
import random
from pathlib import Path

from openrlhf_unlearn.grading.reading import value, writing

FOLDER = Path(os.environ.get("OPENRLHF_UNLEARN_DATA", Path(__file__).parents[3] / "shared" / "data"))


def answers() -> list[str]:
    """Every answer of the problems once; empty where the data is not there."""
    rows = [row for path in sorted(FOLDER.glob("*problems*.json")) for row in json.loads(path.read_text())]
    return sorted({str(row["answer"]) for row in rows if isinstance(row, dict) and "answer" in row})


def bare(answer: str) -> str:
    """The answer without the dollars around it."""
    text = answer.strip()
    return (
        text.strip("$").strip() if text.startswith("$") and text.endswith("$") and text.count("$") in (2, 4) else text
    )


WRITINGS = {
    "plain": lambda answer: answer,
    "boxed": lambda answer: rf"We conclude. \boxed{{{bare(answer)}}}",
    "dollars": lambda answer: answer if "$" in answer else f"${answer}$",
    "sentence": lambda answer: f"Adding both sides, the answer is {answer}.",
    "spacing": lambda answer: rf"Hence $\boxed{{ \, {bare(answer)} \; }}$ as asked.<|im_end|>",
}


def different(texts: list[str], n: int, seed: int = 0) -> list[tuple[str, str]]:
    """`n` pairs of answers whose writings differ, and their values too where both are numbers."""
    rng = random.Random(seed)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < n:
        a, b = rng.sample(texts, 2)
        numbers = [_value(a), _value(b)]
        if writing(a) != writing(b) and (None in numbers or abs(numbers[0] - numbers[1]) > 1e-9 * abs(numbers[0])):
            pairs.append((a, b))
    return pairs


_values: dict[str, complex | None] = {}


def _value(text: str) -> complex | None:
    if text not in _values:
        _values[text] = value(text)
    return _values[text]
