"""The rollouts that the page shows: of the hardest prompts, correct and wrong, the newest first, long ones cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from openrlhf_unlearn.store.run_dir import positive_rollouts

PROMPTS, EACH, HEAD, TAIL = 2000, 8, 650, 350  # prompts with rollouts, rollouts a prompt, characters of start and end


@dataclass(frozen=True)
class Rollout:
    source: str  # "final", "step 12", …
    file: str  # of the run, for what was cut
    sample: int
    reward: float
    verdict: str
    response: str
    correct: bool
    reason: str = ""  # the grader's rule, where the evaluation kept it

    def shown(self) -> list:
        """What the page holds: source, file, sample, reward, verdict, start, end, characters left out, reason."""
        text = self.response
        cut = max(0, len(text) - HEAD - TAIL)
        head, tail = (text[:HEAD], text[-TAIL:]) if cut else (text, "")
        reward = self.reward if isfinite(self.reward) else None
        return [self.source, self.file, self.sample, reward, self.verdict, head, tail, cut, self.reason]


def hardest(material, most: int = PROMPTS) -> np.ndarray:
    """Rows of the prompts that rollouts are shown of: unlearnable first, then the other hard ones, then the rest."""
    order = {
        group: i for i, group in enumerate(("unlearnable", "mixed", "no_reward", "learnable", "ungradable", "easy"))
    }
    rank = np.array([order.get(group, len(order)) for group in material.groups])
    final = material.tally(material.final)
    rate = np.nan_to_num(final.rate, nan=2.0) if final else np.zeros(material.size)
    return np.lexsort((rate, rank))[:most]


def read_rollouts(material, rows: np.ndarray) -> tuple[dict[int, list[Rollout]], list[tuple[int, str, str]]]:
    """The rollouts of these prompts, at most EACH a prompt, and (row, response, verdict) of the final evaluation.

    Read in batches, so that only what is kept stays in memory.
    """
    found: dict[int, tuple[list, list]] = {}
    final = []
    wanted = material.ids.take(pa.array(rows))
    for source, path, relative in _sources(material):
        for row, sample, response, reward, verdict, correct, step, reason in _rows(path, wanted, material):
            if source == material.final:
                final.append((row, response, verdict))
            name = source or f"step {step}"
            kept = found.setdefault(row, ([], []))[correct]
            if len(kept) < EACH and response:
                kept.append(Rollout(name, relative, sample, reward, verdict, response, correct, reason))
    return {row: _balanced(*both) for row, both in found.items()}, final


def _balanced(wrong: list[Rollout], right: list[Rollout]) -> list[Rollout]:
    """Half of each where there are as many; else the other side fills up."""
    n_right = min(len(right), max(EACH // 2, EACH - len(wrong)))
    return right[:n_right] + wrong[: EACH - n_right]


def _sources(material) -> Iterator[tuple[str, Path, str]]:
    """(tag or "", file, its name in the run): the final evaluation, training from its end, the other evaluations."""
    for run in material.runs:
        tags = [tag for tag in reversed(material.tags) if run.evaluation(tag).exists()]
        late = [tag for tag in tags if tag == material.final]
        early = [tag for tag in tags if tag != material.final]
        paths = [(tag, run.evaluation(tag)) for tag in late]
        paths += [("", run.step_file("rollouts", step)) for step in reversed(run.steps("rollouts"))]
        paths += [(tag, run.evaluation(tag)) for tag in early]
        for tag, path in paths:
            yield tag, path, str(path.relative_to(run.path))


def _rows(path: Path, wanted: pa.Array, material) -> Iterator[tuple]:
    """(row, sample, response, reward, verdict, positive, step, reason) of the wanted prompts in one file."""
    data = ds.dataset(path, format="parquet")
    if "response" not in data.schema.names:
        return
    columns = ["prompt_id", "sample", "response", "reward", "verdict"]
    columns += [name for name in ("step", "positive", "reason") if name in data.schema.names]
    scanner = data.scanner(columns, filter=pc.field("prompt_id").isin(wanted), batch_size=8192)
    for batch in scanner.to_batches():
        if not len(batch):
            continue
        rows = material.rows_of(batch.column("prompt_id")).tolist()
        values = [batch.column(name).to_pylist() for name in columns[1:5]]
        steps, reasons = (
            batch.column(name).to_pylist() if name in columns else [None] * len(rows) for name in ("step", "reason")
        )
        positive = positive_rollouts(pa.Table.from_batches([batch])).tolist()
        yield from (
            (row, sample, response or "", reward, verdict or "", correct, step, reason or "")
            for row, sample, response, reward, verdict, correct, step, reason in zip(
                rows, *values, positive, steps, reasons, strict=True
            )
        )
