"""The parts of an evaluation that is under way: what was drawn so far, and the one table they become."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.settings import STATE, Settings, check_same
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import RunDir, atomic_path, read_object, write_json

_KEPT = Evaluations.response_tokens, Evaluations.reason, Evaluations.positive

# The engines' seed moves with the number of the next part, so what grows starts at a number that no resume had.
_GROWN = 10_000


def grow(run: RunDir, tag: str, settings: Settings, before: dict) -> bool:
    """Make a finished evaluation the first part of a larger one; False unless `settings` asks for more samples.

    The table itself stays until the larger one replaces it. Raises UserError if any other setting differs.
    """
    n = before.get("n", settings.n)
    if settings.adaptive is not None or n >= settings.n:
        return False
    check_same(before, replace(settings, n=n), run.evaluation_json(tag), "choose another --tag, or delete it")
    folder = run.evaluation_parts(tag)
    if not (folder / STATE).exists():
        with atomic_path(folder / f"part-{_GROWN + n}.parquet") as aside:
            shutil.copyfile(run.evaluation(tag), aside)
        write_json(folder / STATE, asdict(settings))
    return True


class Parts:
    """`counts`: prompt_id → (samples, positive ones) over all parts written; `number`: the next part's."""

    def __init__(self, run: RunDir, tag: str, settings: Settings):
        self.run, self.tag, self.settings = run, tag, settings
        self.folder = run.evaluation_parts(tag)
        self.counts: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.drawn = 0  # by this process
        state = self.folder / STATE
        if state.exists():
            check_same(read_object(state), settings, self.folder, "bring the same, or delete that folder to start anew")
        files = self._files()
        self.number = int(files[-1].stem.removeprefix("part-")) + 1 if files else 0
        for path in files:
            part = Evaluations.open(path, Evaluations.prompt_id, Evaluations.reward, Evaluations.positive)
            self._count(part.prompt_id, part.hits().tolist())

    def _files(self) -> list:
        return sorted(self.folder.glob("part-*.parquet"))

    def _count(self, names: Sequence[str], positive: Sequence[bool]) -> None:
        for name, right in zip(names, positive, strict=True):
            n, hits = self.counts[name]
            self.counts[name] = n + 1, hits + right

    def write(self, rows: list[tuple]) -> None:
        """Write rows (prompt_id, response, tokens, reward, verdict, reason) as the next part."""
        names, texts, tokens, rewards, verdicts, reasons = zip(*rows, strict=True)
        samples, seen = [], Counter()
        for name in names:
            samples.append(self.counts[name][0] + seen[name])
            seen[name] += 1
        keep = self.settings.save_responses
        positive = [reward > self.settings.positive_above for reward in rewards]
        table = Evaluations.of(
            prompt_id=names,
            sample=samples,
            response=texts if keep else None,
            reward=rewards,
            verdict=verdicts,
            n_tokens=[len(ids) for ids in tokens],
            response_tokens=tokens if keep else None,
            reason=reasons,
            positive=positive,
        )
        if self.number == 0:
            write_json(self.folder / STATE, asdict(self.settings))
        table.save(self.folder / f"part-{self.number:05d}.parquet")
        self.number += 1
        self.drawn += len(rows)
        self._count(names, positive)

    def merge(self) -> Counter:
        """Write all parts as the evaluation's one table, a part at a time; returns how often each verdict came.

        Raises UserError where the rows are not those that were counted, or fewer than a finished table has: then the
        files were changed by others, and the table stays as it was.
        """
        verdicts: Counter = Counter()
        with atomic_path(self.run.evaluation(self.tag)) as aside:
            with Evaluations.writing(aside, *_KEPT) as write:
                for path in self._files():
                    part = Evaluations.open(path)
                    write(part)
                    verdicts.update(part.verdict)
            self._check(aside)
        return verdicts

    def _check(self, merged: Path) -> None:
        """Every sample that was counted is in the merged table, once, and no less than a finished one holds."""
        table = Evaluations.open(merged, Evaluations.prompt_id, Evaluations.sample)
        names, per_prompt = np.unique(table[Evaluations.prompt_id].to_numpy(), return_counts=True)
        wanted = {name: n for name, (n, _) in self.counts.items() if n}
        distinct = len(set(zip(table.prompt_id, table.sample.tolist(), strict=True)))
        target = self.run.evaluation(self.tag)
        finished = len(Evaluations.open(target, Evaluations.prompt_id)) if target.exists() else 0
        if dict(zip(names, per_prompt, strict=True)) != wanted or not distinct == len(table) >= max(1, finished):
            raise UserError(
                f"{self.folder} holds {distinct} different samples in {len(table)} rows, {sum(wanted.values())} "
                f"were counted, {finished} are finished: something else changed its files; {target} stays as it was. "
                "Delete that folder and evaluate again"
            )
