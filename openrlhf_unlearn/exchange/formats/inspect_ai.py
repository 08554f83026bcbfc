"""inspect: its logs, `.eval` (an archive) or `--log-format json`. Every epoch of a sample is one rollout.

Scores are `C` (correct), `I`, `P` (partly: a half) or `N`, numbers or truth values. A sample that ended in an error has
none. With several scorers, name one: --columns reward=scores.NAME.value
"""

from collections.abc import Iterator
from pathlib import Path

from openrlhf_unlearn.exchange.files import Row, plain_name, rows_of
from openrlhf_unlearn.exchange.formats.base import Format
from openrlhf_unlearn.exchange.values import is_messages
from openrlhf_unlearn.store.nested import get

_GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}


def _rows(path: Path) -> Iterator[Row]:
    for where, value in rows_of(path):
        if where.endswith(".json") and not where.startswith("samples/"):
            continue  # the archive's header and summaries
        if not isinstance(value, dict):
            yield where, value
        elif "samples" in value:
            for number, sample in enumerate(value["samples"] or [], 1):
                yield f"sample {number}", _sample(sample)
        else:
            yield where, _sample(value)


def _sample(sample: dict) -> dict:
    scores = sample.get("scores") or {}
    graded = {}
    for name, score in scores.items():
        value = score.get("value") if isinstance(score, dict) else score
        graded[name] = {"value": _GRADES.get(value, value) if isinstance(value, str) else value}
    target, asked = sample.get("target"), sample.get("input")
    if is_messages(asked):  # without their ids, which differ from log to log
        asked = [{"role": message.get("role"), "content": message.get("content")} for message in asked]
    row = {
        "prompt": asked,
        "response": get(sample, "output.completion") or get(sample, "output.choices.0.message.content"),
        "target": target[0] if isinstance(target, list) and len(target) == 1 else target,
        "scores": graded,
        "metadata": sample.get("metadata"),
    }
    if len(graded) == 1 or not graded or sample.get("error"):
        row["reward"] = None if sample.get("error") or not graded else next(iter(graded.values()))["value"]
    else:
        row |= {f"scores.{name}.value": score["value"] for name, score in graded.items()}
    return row


INSPECT = Format(
    "inspect",
    "log/_recorders/eval.py of inspect_ai 0.3, and its log format 2",
    {"prompt": "prompt", "response": "response", "label": "target"},
    evaluation=("**/*.eval", "**/*.json"),
    training=("**/*.eval", "**/*.json"),
    rows=_rows,
    of=lambda path: "_".join(plain_name(path).split("_")[1:-1]),  # TIME_TASK_ID.eval
    evaluations_only=True,
)
