"""slime: `--save-debug-rollout-data data_{rollout_id}.pt`, or `--dump-details DIR`.

Evaluations have `eval_` before the number. A torch file of samples as dicts, loaded without running code from it;
samples with multimodal objects cannot be. A reward that is an object is read by `--columns reward=reward.KEY`.
"""

from collections.abc import Iterator
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.files import Row, rows_of
from openrlhf_unlearn.exchange.formats.base import Format


def _rows(path: Path) -> Iterator[Row]:
    for _, value in rows_of(path):
        if not isinstance(value, dict) or not isinstance(value.get("samples"), list):
            raise UserError(f"{path} has no list `samples`; it is no file of --save-debug-rollout-data")
        for number, sample in enumerate(value["samples"], 1):
            if isinstance(sample, dict):
                sample = {**sample, "rollout_id": value.get("rollout_id")}
                if sample.get("status") == "aborted":
                    sample["reward"] = None
            yield f"sample {number}", sample


def _select(files: list[Path], evaluation: bool) -> list[Path]:
    return [path for path in files if ("eval_" in path.name) == evaluation] or files


SLIME = Format(
    "slime",
    "save_debug_rollout_data of slime, August 2026",
    {"prompt": "prompt", "response": "response", "reward": "reward", "label": "label", "step": "rollout_id"},
    training=("*.pt", "rollout_data/*.pt"),
    evaluation=("*.pt", "rollout_data/*.pt"),
    step=r"(\d+)\.pt$",
    rows=_rows,
    select=_select,
)
