"""lm-evaluation-harness: `--log_samples --output_path DIR` writes `samples_{task}_{time}.jsonl`, a row a document.

A score belongs to a document, not to a response: of several responses (`repeats`) the first is kept, with that score.
Where a task has several filters (gsm8k's strict-match and flexible-extract), each document stands there once for each;
the first filter's are read.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from openrlhf_unlearn.exchange.files import Row, plain_name, rows_of
from openrlhf_unlearn.exchange.formats.base import Format
from openrlhf_unlearn.store.nested import get

_NO_METRIC = frozenset({"doc_id", "arguments", "resps", "filtered_resps", "target", "doc", "filter"})


def _rows(path: Path) -> Iterator[Row]:
    kept = None
    for where, row in rows_of(path):
        if isinstance(row, dict) and "target" in row:
            kept = row.get("filter") if kept is None else kept
            if row.get("filter") != kept:
                continue
            asked = get(row, "arguments.gen_args_0.arg_0") or get(row, "arguments.0.0")
            response = _first(row.get("resps") or row.get("filtered_resps"))
            row = {**row, "prompt": _first(asked), "response": response}
            if row.get("metrics") and isinstance(row["metrics"], list) and len(row["metrics"]) == 1:
                row["reward"] = row.get(row["metrics"][0])
                row = {key: value for key, value in row.items() if key not in row["metrics"]}
        yield where, row


def _first(value: object) -> str | None:
    """The first text in nested lists. Of choices that were only scored there are pairs of a log-likelihood and whether
    it is the greedy one, and no response."""
    while isinstance(value, list) and value:
        if len(value) == 2 and str(value[1]) in ("True", "False"):
            return None
        value = value[0]
    return value if isinstance(value, str) else None


LM_EVAL = Format(
    "lm-eval",
    "rows that lm-evaluation-harness 0.4 logged, as others publish and read them",
    {"prompt": "prompt", "response": "response", "label": "target"},
    evaluation=("**/samples_*.jsonl",),
    training=("**/samples_*.jsonl",),
    not_rewards=_NO_METRIC,
    rows=_rows,
    of=lambda path: re.sub(r"_\d{4}-\d\d-\d\dT.*", "", plain_name(path)),
    evaluations_only=True,
)
