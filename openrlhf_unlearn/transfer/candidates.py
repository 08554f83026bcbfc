"""A pool of rows to choose from, and the gradient of each row's response, in the same directions as the probe's."""

from pathlib import Path
from typing import Any

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.data_check import rows_of
from openrlhf_unlearn.probe.engine.gradients import default_tokens
from openrlhf_unlearn.probe.engine.packing import Rollouts
from openrlhf_unlearn.transfer.vectors import means

FIELDS = ("model", "dtype", "rank", "alpha", "targets", "lora_seed", "adapter", "full", "project", "units", "sketch")


def read_pool(path: Path) -> list[dict]:
    """Rows with `prompt` and `response`. Raises UserError for a file without them."""
    if not path.exists():
        raise UserError(f"--from {path}: no such file")
    rows = []
    for where, row in rows_of(path):
        if not isinstance(row, dict) or not row.get("prompt") or not row.get("response"):
            raise UserError(f"--from {path}: {where} lacks prompt or response; sft-set writes such rows")
        rows.append(row)
    if not rows:
        raise UserError(f"--from {path} has no rows")
    return rows


def gradients_of_pool(
    rows: list[dict], model: str, settings: dict, device: str | None, trust: bool, exact: bool
) -> np.ndarray:
    """(rows, dim) gradients of the responses' negative log-likelihood a token, or their sketches where not `exact`."""
    import torch
    from tqdm import tqdm

    from openrlhf_unlearn.evaluation.prompts import load_tokenizer
    from openrlhf_unlearn.probe.work import GradientWorker, Work

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    kept = {name: settings[name] for name in FIELDS} | {"model": model, "temperature": settings["temperature"]}
    tokenizer = load_tokenizer(model)
    worker = GradientWorker(
        Work(**kept, device=device, tokens=default_tokens(device), attention=None, trust_remote_code=trust)
    )
    found = []
    for start in tqdm(range(0, len(rows), 32), desc="gradients of the pool", unit="lot"):
        lot = [_rollouts(i, rows[i], tokenizer) for i in range(start, min(start + 32, len(rows)))]
        gradients = worker(lot)[0].get("correct")
        if gradients is None or len(gradients.ids) < len(lot):
            raise UserError(f"a row of {start + 1} to {start + len(lot)} has no finite gradient; leave it out")
        order = np.argsort([int(name) for name in gradients.ids])
        found.append(means(gradients, exact)[order])
    return np.concatenate(found)


def _rollouts(number: int, row: dict, tokenizer: Any) -> Rollouts:
    """Prompt and response tokenized apart, end of text added, as training on them would."""
    prompt = tokenizer(text=row["prompt"], add_special_tokens=False)["input_ids"]
    response = tokenizer(text=row["response"], add_special_tokens=False)["input_ids"]
    end = tokenizer.eos_token_id
    if end is not None and response[-1:] != [end]:
        response = [*response, end]
    return Rollouts(str(number), prompt, {"correct": [response]})
