"""A pool of rows to choose from, and the gradient of each row's response, in the same directions as the probe's."""

from pathlib import Path
from typing import Any

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.data_check import rows_of
from openrlhf_unlearn.probe.engine.gradients import default_tokens
from openrlhf_unlearn.probe.engine.packing import Rollouts
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.transfer.vectors import means

FIELDS = ("model", "dtype", "rank", "alpha", "targets", "lora_seed", "adapter", "full", "project", "units", "sketch")


def read_pool(path: Path, key: str | None = None) -> list[dict]:
    """Rows with `prompt`, also as the data's own input key names it, and `response`. Raises UserError for others."""
    if not path.exists():
        raise UserError(f"--from {path}: no such file")
    rows = []
    for where, row in rows_of(path):
        row = {"prompt": row.get(key), **row} if isinstance(row, dict) else {}
        if not row.get("prompt") or not row.get("response"):
            raise UserError(f"--from {path}: {where} lacks prompt or response; sft-set writes such rows")
        if not all(isinstance(row[name], str) for name in ("prompt", "response")):
            raise UserError(f"--from {path}: {where}: prompt and response must be text; write out a chat as one text")
        rows.append(row)
    if not rows:
        raise UserError(f"--from {path} has no rows")
    return rows


def distinct(rows: list[dict], targets: dict[str, str | None]) -> tuple[list[dict], list[str]]:
    """Rows without repeats of a prompt and response, and without the targets' own (prompt id → text), and what was left
    out, in words: a row of a target has that target's gradient, and a repeat would be chosen twice."""
    texts = set(targets.values())
    others = [row for row in rows if row.get("prompt_id") not in targets and row["prompt"] not in texts]
    first: dict[tuple[str, str], dict] = {}
    for row in others:
        first.setdefault((row["prompt"], row["response"]), row)
    kept = list(first.values())
    counts = (
        (len(rows) - len(others), "are of target prompts"),
        (len(others) - len(kept), "repeat a prompt and response"),
    )
    said = [f"{n} {what}" for n, what in counts if n]
    return kept, [f"of {len(rows)} rows of the pool, {' and '.join(said)}; they are left out"] if said else []


def as_trained(rows: list[dict], run: RunDir, tokenizer: Any) -> list[str]:
    """Each row's prompt as the run's template makes it; the run's own prompts as they are stored."""
    known, config = Prompts.texts(run), run.config()
    stored, template = {text for text in known.values() if text}, config.flag("data.input_template")

    def text(row: dict) -> str:
        prompt = row["prompt"]
        if own := known.get(row.get("prompt_id") or ""):
            return own
        if prompt in stored:
            return prompt
        if config.flag("data.apply_chat_template"):
            chat = [{"role": "user", "content": prompt}]
            return tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return template.format(prompt) if template else prompt

    return [text(row) for row in rows]


def gradients_of_pool(
    rows: list[dict], run: RunDir, model: str, settings: dict, device: str | None, trust: bool, exact: bool
) -> tuple[np.ndarray, list[int]]:
    """(rows, dim) gradients of the responses' negative log-likelihood a token, or their sketches where not `exact`;
    tokens of each response."""
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
    found, prompts, tokens = [], as_trained(rows, run, tokenizer), []
    for start in tqdm(range(0, len(rows), 32), desc="gradients of the pool", unit="lot"):
        lot = [
            _rollouts(i, prompts[i], rows[i]["response"], tokenizer) for i in range(start, min(start + 32, len(rows)))
        ]
        tokens += [len(rollout.responses["correct"][0]) for rollout in lot]
        gradients = worker(lot)[0].get("correct")
        if gradients is None or len(gradients.ids) < len(lot):
            raise UserError(f"a row of {start + 1} to {start + len(lot)} has no finite gradient; leave it out")
        order = np.argsort([int(name) for name in gradients.ids])
        found.append(means(gradients, exact)[order])
    return np.concatenate(found), tokens


def _rollouts(number: int, text: str, answer: str, tokenizer: Any) -> Rollouts:
    """Prompt and response tokenized apart, end of text added, as training on them would."""
    prompt = tokenizer(text=text, add_special_tokens=False)["input_ids"]
    response = tokenizer(text=answer, add_special_tokens=False)["input_ids"]
    end = tokenizer.eos_token_id
    if end is not None and response[-1:] != [end]:
        response = [*response, end]
    return Rollouts(str(number), prompt, {"correct": [response]})
