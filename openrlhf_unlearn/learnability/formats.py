"""How other frameworks lay out their rollouts: where the step is, and which column is what.

| format | files | checked against |
| --- | --- | --- |
| verl | `trainer.rollout_data_dir` and `validation_data_dir`: `{step}.jsonl` | the writer of verl 0.9.1 |
| trl | `OUTPUT_DIR/completions/completions_{step}.parquet` (`log_completions=True`) | GRPOTrainer of TRL 1.16.0 |
| prime-rl | `rollouts/step_{N}/train_rollouts.jsonl` (verifiers' rollout outputs) | the layout in its documentation |
| paper | result lists of the paper's inference code; its CSV is read apart (see importing.py) | the paper's code |
| jsonl | any .jsonl, .json, .csv or .parquet with `--columns` | - |
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.training.data_check import rows_of


@dataclass(frozen=True)
class Format:
    """`columns`: where prompt, response, reward, label, step and id are; a dot goes into a nested object."""

    name: str
    columns: dict[str, str]
    pattern: str = "*"
    step: str | None = None  # a regular expression that finds the step in a file's path
    not_rewards: frozenset[str] = frozenset()  # columns that are no reward, where the format does not name the one


FORMATS = {
    "verl": Format(
        "verl",
        {"prompt": "input", "response": "output", "reward": "score", "label": "gts", "step": "step"},
        "*.jsonl",
        r"(\d+)\.jsonl$",
    ),
    "trl": Format(
        "trl",
        {"prompt": "prompt", "response": "completion", "step": "step"},
        "**/completions_*.parquet",
        r"completions_(\d+)\.parquet$",
        frozenset({"step", "advantage"}),
    ),
    "prime-rl": Format(
        "prime-rl",
        {"prompt": "prompt", "response": "completion", "reward": "reward", "label": "answer"},
        "**/step_*/train_rollouts.jsonl",
        r"step_(\d+)/[^/]*$",
    ),
    "paper": Format(
        "paper",
        {"id": "question_id", "prompt": "question", "response": "response", "reward": "verification.score"},
        "*.json",
    ),
    "jsonl": Format("jsonl", {"prompt": "prompt", "response": "response", "reward": "reward"}, "*.jsonl"),
}


@dataclass(frozen=True)
class Rollout:
    """One rollout of another framework; `step` None where nothing says it."""

    prompt: str | None
    response: str | None
    reward: float
    label: str | None
    step: int | None
    id: str | None


def find_files(source: str, form: Format) -> list[Path]:
    """The files that `source`, a file, a folder or a glob, stands for, in the order of their steps."""
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [p for p in path.glob(form.pattern) if p.is_file()]
    else:
        found = [p for p in path.parent.glob(path.name) if p.is_file()]
    if not found:
        raise UserError(f"{source}: no file {form.pattern} there; give the file, its folder or a glob")
    return sorted(found, key=lambda p: (_step_of(p, form) or 0, str(p)))


def _step_of(path: Path, form: Format) -> int | None:
    match = re.search(form.step, path.as_posix()) if form.step else None
    return int(match[1]) if match else None


def read_rollouts(path: Path, form: Format, columns: dict[str, str]) -> Iterator[Rollout]:
    """The rollouts of one file. `columns` go before the format's own. Raises UserError that names file and row."""
    wanted = {**form.columns, **columns}
    step_of_file = _step_of(path, form)
    for where, row in _rows(path):
        if not isinstance(row, dict):
            raise UserError(f"{path}: {where} is no object with keys but {type(row).__name__}")
        if "reward" not in wanted:
            wanted["reward"] = _only_reward(path, row, form, wanted)
        for name in ("prompt", "reward", *columns):
            if not (name == "prompt" and "id" in wanted) and not _has(row, wanted[name]):
                raise UserError(
                    f"{path}: {where} has no column {wanted[name]!r}; it has {', '.join(map(str, row))}; name it: "
                    f"--columns {name}=COLUMN"
                )
        step = _get(row, wanted.get("step"))
        label = _get(row, wanted.get("label"))
        yield Rollout(
            prompt=_text(_get(row, wanted.get("prompt"))),
            response=_text(_get(row, wanted.get("response"))),
            reward=_reward(path, where, _get(row, wanted["reward"])),
            label=None if label is None else str(label),
            step=step_of_file if step is None else _step(path, where, step),
            id=_id(path, where, row, wanted),
        )


def _rows(path: Path) -> Iterator[tuple[str, dict]]:
    try:
        yield from rows_of(path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error.reason} at byte {error.start}); convert it") from None


def _step(path: Path, where: str, value) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise UserError(f"{path}: {where} has the step {value!r}, which is no whole number") from None


def _id(path: Path, where: str, row: dict, wanted: dict) -> str | None:
    if "id" not in wanted:
        return None
    value = _get(row, wanted["id"])
    if value is None:
        raise UserError(f"{path}: {where} has no value in {wanted['id']!r}; every row must name its prompt")
    return str(value)


def _has(row: dict, name: str) -> bool:
    head, _, rest = name.partition(".")
    if name in row:
        return True
    return head in row and bool(rest) and isinstance(row[head], dict) and _has(row[head], rest)


def _get(row: dict, name: str | None):
    if name is None or name in row:
        return row.get(name)
    head, _, rest = name.partition(".")
    return _get(row[head], rest) if rest and isinstance(row.get(head), dict) else None


def _only_reward(path: Path, row: dict, form: Format, wanted: dict) -> str:
    """The one numeric column that can be the reward, where a trainer names it after the user's function."""
    taken = form.not_rewards | set(wanted.values())
    found = [name for name, v in row.items() if name not in taken and isinstance(v, (int, float))]
    if len(found) != 1:
        what = f"columns {', '.join(found)} could each be the reward" if found else "no column could be the reward"
        raise UserError(f"{path}: {what}; name it: --columns reward=COLUMN")
    return found[0]


def _reward(path: Path, where: str, value) -> float:
    try:
        reward = float(value)
    except (TypeError, ValueError):
        raise UserError(f"{path}: {where} has the reward {value!r}, which is no number; mend or remove it") from None
    if not math.isfinite(reward):
        raise UserError(f"{path}: {where} has the reward {reward}; rewards must be finite: mend or remove the row")
    return reward


def _text(value) -> str | None:
    """Text as it is; a list of chat messages as JSON, or, where there is one message only, its content."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and "content" in value[0]:
        return _text(value[0]["content"])
    return json.dumps(value, ensure_ascii=False)
