"""The `prompt_reward_stats.csv` of the paper's code: mean rewards by step and prompt, as sampled and as trained."""

import csv
from pathlib import Path
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.training import Rewards

WANTED = ("step", "prompt_id", "mean_reward", "std_reward", "n", "processed")


def read_stats(path: Path) -> list:
    """Its rows as `Rewards.Row`s; of one that stands twice there (a resume writes again) the last."""
    found: dict[tuple, Any] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in WANTED if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path} has no column {missing[0]!r}; it has {', '.join(reader.fieldnames or ())}")
            for row in reader:
                values = _typed(path, reader.line_num, row)
                found[values.step, values.prompt_id, values.processed] = values
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error.reason} at byte {error.start}); convert it") from None
    if not found:
        raise UserError(f"{path} has no rows")
    return list(found.values())


def _typed(path: Path, line: int, row: dict):
    try:
        step, n = int(float(row["step"])), int(float(row["n"]))
        mean, std = float(row["mean_reward"]), float(row["std_reward"])
        processed = {"true": True, "false": False, "1": True, "0": False}[row["processed"].strip().lower()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{path}: line {line} cannot be read ({','.join(map(str, row.values()))}); is it cut?"
        ) from None
    if not (0 <= step < 2**31 and 0 < n < 2**31):
        raise UserError(f"{path}: line {line} has the step {step} and n {n}; steps begin at 0, n at 1")
    if mean != mean:
        raise UserError(f"{path}: line {line} has the mean reward nan; fix or remove it")
    return Rewards.Row(
        step=step,
        prompt_id=row["prompt_id"],
        processed=processed,
        n=n,
        n_positive=min(n, max(round(mean * n), int(mean > 0))),
        mean_reward=mean,
        std_reward=0.0 if std != std else std,
    )
