"""prime-rl: four layouts, each as traces (one rollout) or as episodes (the traces of one rollout of several agents).

    rollouts/step_N/{train,eval}_rollouts.jsonl                to spring 2026; flat rows
    rollouts/step_N/{train,eval}/{all,effective}/traces.jsonl  to August 2026; `all`: sampled, `effective`: trained
    monitors/file/traces/stream.jsonl, annotations/*.jsonl     from then on: every episode once, and what became of it
    monitors/file/traces/stream/NNNNN.jsonl[.zst]              the same in chunks, sealed ones compressed
    traces.jsonl, results.jsonl                                an evaluation by verifiers alone; flat rows before 2026

An episode's reward is the weighted sum over the rewards of its traces. A prompt is named by its `task.key`, else by its
number in the environment's data.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from openrlhf_unlearn.exchange.files import Row, rows_of
from openrlhf_unlearn.exchange.formats.base import Format
from openrlhf_unlearn.exchange.values import split_messages
from openrlhf_unlearn.store.nested import get

_STREAM = re.compile(r"/traces/stream(?:/\d+)?\.jsonl(?:\.zst)?$")


def _rows(path: Path) -> Iterator[Row]:
    streamed = bool(_STREAM.search(path.absolute().as_posix()))
    trained = _trained(_traces_folder(path)) if streamed else {}
    for where, row in rows_of(path, growing=streamed):
        if not isinstance(row, dict) or not ("nodes" in row or "traces" in row):
            yield where, row
            continue
        flat = _flat(row)
        if not streamed:
            yield where, flat
            continue
        kind = _first(row, "run.work.type", "info.kind", "run.type")
        step = _first(row, "run.work.step", "info.dispatch.step", "info.arrival.step")
        ship = next((trained[name] for name in _names(row) if name in trained), None)
        flat |= {"step": step if ship is None else ship, "_kind": kind}
        yield where, flat
        if ship is not None:
            yield where, {**flat, "_processed": True}


def _first(row: dict, *columns: str):
    """What the first of the columns says that says anything, of the episode itself or of its first trace."""
    values = (get(row, place + column) for column in columns for place in ("", "traces.0."))
    return next((value for value in values if value is not None), None)


def _names(row: dict) -> Iterator[str | None]:
    yield from (trace.get("id") for trace in row.get("traces", [row]))
    yield row.get("id")


def _flat(row: dict) -> dict:
    """One episode or trace as a row of prompt, response, reward, label and id."""
    traces = row.get("traces", [row])
    task = row.get("task") or (traces[0].get("task") if traces else None) or {}
    data = task.get("data") or {}
    environment = get(row, "env.name") or row.get("env_name") or get(row, "info.env_name") or get(row, "env.id")
    number = data.get("idx")
    name = task.get("key") or data.get("key")
    if name is None and number is not None:
        name = number if environment is None else f"{environment}/{number}"
    given, answered = split_messages(_messages(traces[0])) if traces else ([], [])
    flat = {
        "prompt": given or data.get("prompt") or data.get("question"),
        "response": answered,
        "reward": None if row.get("ok") is False else _reward(traces),
        "answer": data.get("answer"),
    }
    return flat if name is None else {**flat, "task_key": name}


def _reward(traces: list[dict]) -> float | None:
    """None where no trace was scored."""
    found = []
    for trace in traces:
        for reward in (trace.get("rewards") or {}).values():
            score, weight = (reward.get("score"), reward.get("weight")) if isinstance(reward, dict) else (reward, None)
            if score is not None:
                found.append(float(score) * (1.0 if weight is None else float(weight)))
    return sum(found) if found else None


def _messages(trace: dict) -> list[dict]:
    """The conversation's main line: from the last node back to the root."""
    nodes = trace.get("nodes") or []
    line, at, seen = [], len(nodes) - 1, set()
    while isinstance(at, int) and 0 <= at < len(nodes) and at not in seen:
        seen.add(at)
        line.append(nodes[at].get("message") or {})
        at = nodes[at].get("parent")
    return line[::-1]


def _traces_folder(path: Path) -> Path:
    path = path.absolute()
    return path.parent.parent if path.parent.name == "stream" else path.parent


@lru_cache(maxsize=1)
def _trained(folder: Path) -> dict[str, int]:
    """The step that each trace trained in, by the annotations beside the stream."""
    found = {}
    for path in sorted((folder / "annotations").glob("**/*.jsonl*")):
        if ".index." in path.name:
            continue
        for _, row in rows_of(path, growing=True):
            if not isinstance(row, dict):
                continue
            info = row.get("info") or {}
            if info.get("effective") and get(info, "ship.step") is not None:
                found[row.get("trace_id") or row.get("id")] = int(get(info, "ship.step"))
    return found


PRIME_RL = Format(
    "prime-rl",
    "prime-rl to 0.9.1.dev46 by its documentation and pull requests 2742, 3061, 3098 and 3444",
    {
        "prompt": "prompt",
        "response": "completion|response",
        "reward": "reward",
        "label": "answer",
        "step": "step",
        "id": "task_key",
    },
    training=(
        "**/traces/stream*/*.jsonl",
        "**/traces/stream.jsonl",
        "**/step_*/train/*/traces.jsonl",
        "**/step_*/train_rollouts.jsonl",
    ),
    evaluation=(
        "**/traces/stream*/*.jsonl",
        "**/traces/stream.jsonl",
        "**/step_*/eval/all/traces.jsonl",
        "**/step_*/eval/*/traces.jsonl",
        "**/step_*/eval_rollouts.jsonl",
        "**/traces.jsonl",
        "**/results.jsonl",
    ),
    step=r"step_(\d+)/",
    step_first="path",
    rows=_rows,
    processed=lambda path: path.parent.name == "effective",
)
