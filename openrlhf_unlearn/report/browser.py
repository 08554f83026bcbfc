"""The data of the page's prompt browser: a table of all prompts, and for each prompt what it opens to.

Both travel as gzipped JSON in base64, which the page unpacks: 40,000 prompts with rollouts fit in a few megabytes, and
no text of a model stands in the page as markup. Details are in blocks of 64 prompts, unpacked when one is opened.
"""

import base64
import gzip
import json
from collections.abc import Collection, Sequence
from math import isfinite
from typing import Any

import numpy as np

from openrlhf_unlearn.report.advice import Advice
from openrlhf_unlearn.report.changes import KINDS, Changes
from openrlhf_unlearn.report.failures import Failures
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.reasoning import reasoning
from openrlhf_unlearn.report.rollouts import ShownRollout
from openrlhf_unlearn.report.turns import readable, turns_of
from openrlhf_unlearn.store.prompts import GROUPS, Learnability

BLOCK = 64
TEXT_BUDGET = 12_000_000  # characters of prompts in the table; with many prompts each is cut shorter
LONGEST_TEXT, SHORTEST_TEXT, LONGEST_LABEL = 4000, 240, 200
_INTERVALS = {
    "initial": (Learnability.initial_low, Learnability.initial_high),
    "final": (Learnability.final_low, Learnability.final_high),
}


def pack(value: Any) -> str:
    """JSON, gzipped, in base64."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode()


def number_columns(material: Material, changes: Sequence[Changes]) -> dict[str, np.ndarray]:
    """The numbers of each prompt, (prompts,) each, as prompts.csv and the browser hold them; nan where unknown.

    Of each compared run but the first, by its number: the difference of final pass@1 to the first.
    """
    visits = material.visits
    sampled = material.per_prompt(visits.n)
    columns = {}
    for when in ("initial", "final"):
        tally = material.tally(getattr(material, when))
        columns[when] = material.rates(getattr(material, when))
        low, high = _INTERVALS[when]
        columns |= {f"{when}_low": material.label_column(low), f"{when}_high": material.label_column(high)}
        columns[f"{when}_n"] = tally.n.astype(float) if tally else np.full(material.size, np.nan)
    if material.causes:
        columns["cause_probability"] = material.causes.probability
    columns["confidence"] = material.label_column(Learnability.label_confidence)
    columns["p_below_tau"] = material.label_column(Learnability.p_below_tau)
    columns["p_improved"] = material.label_column(Learnability.p_improved)
    columns["visits"] = np.bincount(visits.row, minlength=material.size).astype(float)
    columns["rollouts"] = sampled
    columns["positives"] = material.per_prompt(visits.n_positive)
    columns["no_answer"] = material.per_prompt(visits.failed["no_answer"])
    columns["failed"] = material.per_prompt(visits.failed["timeout"] + visits.failed["error"])
    probe, unknown = material.probe, np.full(material.size, np.nan)
    for name in ("plain", "corrected", "low", "high"):
        columns[f"cosine_{name}".replace("_plain", "")] = getattr(probe, name) if probe else unknown
    columns["n_correct"] = probe.n_correct if probe else unknown
    columns["reasoning"] = reasoning(material)
    for number, change in enumerate(changes, 1):
        for name in ("difference", "low", "high"):
            columns[f"difference_{number}_{name}".replace("_difference", "")] = getattr(change, name)
    return columns


def plain(values: np.ndarray, digits: int = 4) -> list[int | float | None]:
    """Numbers for JSON: rounded, whole ones as such, nan and infinity as null."""
    known = (v if isfinite(v) else None for v in map(float, values))
    return [None if v is None else int(v) if v == int(v) else round(v, digits) for v in known]


def table(
    material: Material,
    numbers: dict[str, np.ndarray],
    advice: Sequence[Advice],
    shown: dict[int, list[ShownRollout]],
    failures: Failures | None,
    changes: Sequence[Changes],
) -> dict[str, list[Any]]:
    """The browser's table, by columns; advice and failures are one bit each, in the order of their lists."""
    longest = int(np.clip(TEXT_BUDGET // max(1, material.size), SHORTEST_TEXT, LONGEST_TEXT))
    texts = [readable(text or "") for text in material.prompts.prompt]
    code = {group: i for i, group in enumerate(GROUPS)}
    kinds = failures.kinds if failures else []
    return {
        "id": material.ids.to_pylist(),
        "text": [text[:longest] for text in texts],
        "cut": [len(text) - longest if len(text) > longest else 0 for text in texts],
        "label": [_cut(label or "", LONGEST_LABEL) for label in material.prompts.label],
        "group": [code.get(group, -1) for group in material.groups],
        "advice": _bits(material.size, [item.rows for item in advice]),
        "failures": _bits(material.size, [kind.rows for kind in kinds]),
        **({"cause": material.causes.cause.tolist()} if material.causes else {}),
        "shown": [len(shown.get(row, ())) for row in range(material.size)],
        **{f"change_{number}": change.kind.tolist() for number, change in enumerate(changes, 1)},
        **{name: plain(values) for name, values in numbers.items()},
        "advice_names": [item.title for item in advice],
    }


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def spreadsheet(material: Material, numbers: dict[str, np.ndarray], changes: Sequence[Changes]) -> dict[str, list[Any]]:
    """Every prompt's numbers by columns, as prompts.csv has them."""
    data: dict[str, list[Any]] = {"prompt_id": material.ids.to_pylist(), "group": list(material.groups)}
    for number, change in enumerate(changes, 1):
        data[f"change_{number}"] = [KINDS[kind] if kind >= 0 else "" for kind in change.kind]
    for name, values in numbers.items():
        if name == "cause_probability" and material.causes:
            data["cause"] = material.causes.cause.tolist()
        data[name] = plain(values, digits=6)
    return data


def prompt_table(
    material: Material, shown: dict[str, list[Any]], numbers: Collection[str], opened: Sequence[dict[str, Any]]
) -> dict[str, list[Any]]:
    """What the summary keeps of the table and of what prompts open to: no texts, by columns with one entry a prompt.

    curve: [run, step, rollouts, correct ones, mean reward] of each visit; near and far: [row of this table, cosine];
    shown: [source, file, sample, reward, verdict, characters left out] of each rollout that the page holds; failures:
    a bit for each of the report's kinds of failure; change_1, …: of each compared run, a place in changes.KINDS, or -1.
    """
    parts = {name: [entry.get(name, []) for entry in opened] for name in ("curve", "near", "far")}
    parts["shown"] = [[[*row[:5], row[7]] for row in entry.get("rollouts", [])] for entry in opened]
    columns = {name: shown[name] for name in shown if name in numbers or name.startswith(("change_", "cause"))}
    bits = {"failures": shown["failures"]}
    return {"prompt_id": shown["id"], "group": list(material.groups), **columns, **bits, **parts}


def _bits(size: int, members: Sequence[np.ndarray]) -> list[int]:
    """(size,): bit i is set in the rows of the i-th list."""
    marks = np.zeros(size, dtype=np.int64)
    for i, rows in enumerate(members):
        marks[rows] |= 1 << i
    return marks.tolist()


def details(material: Material, shown: dict[int, list[ShownRollout]]) -> list[dict[str, Any]]:
    """What each prompt opens to: its curve, neighbours by gradient, rollouts, and its whole text."""
    curves = _curves(material)
    texts = material.prompts.prompt
    neighbours = material.probe.neighbours if material.probe else {}
    found = []
    for row in range(material.size):
        entry: dict[str, Any] = {"curve": curves.get(row, [])}
        if row in shown:
            entry["rollouts"] = [rollout.shown() for rollout in shown[row]]
            text = texts[row] or ""
            entry["text"] = turns_of(text) or text
        if material.causes:
            entry |= material.causes.opened(row)
        if row in neighbours:
            entry["near"], entry["far"] = neighbours[row]
        found.append(entry)
    return found


def pack_blocks(entries: Sequence[dict[str, Any]]) -> list[str]:
    return [pack(entries[start : start + BLOCK]) for start in range(0, len(entries), BLOCK)]


def _curves(material: Material) -> dict[int, list[Any]]:
    """row → [[run, step, n, positives, mean reward], …] in order of runs and steps."""
    visits = material.visits
    order = np.lexsort((visits.step, visits.run, visits.row))
    values = np.stack(
        [visits.run[order], visits.step[order], visits.n[order], visits.n_positive[order], visits.mean_reward[order]], 1
    )
    rows, starts = np.unique(visits.row[order], return_index=True)
    parts = np.split(values, starts[1:]) if len(rows) else []
    return {
        int(row): [[int(r), int(s), int(n), int(p), round(float(m), 4) if m == m else None] for r, s, n, p, m in part]
        for row, part in zip(rows, parts, strict=True)
    }
