"""Reads evaluations and training rewards of runs into arrays: one row a prompt, the same order for all runs.

40,000 prompts x 32 samples x 3 runs are read in a few seconds: prompt ids are dictionary-encoded, counting is numpy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openrlhf_unlearn.errors import UserError, command, counted
from openrlhf_unlearn.evaluation.adaptive import Plan, plan_at, pooled_rates
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import POSITIVE_THRESHOLD, RunDir
from openrlhf_unlearn.store.summary import Summary
from openrlhf_unlearn.store.training import Rewards


@dataclass
class EvaluationCounts:
    """One evaluation: `n` and `positive`, (prompts,), and each sample's prompt row, number and outcome, (samples,)."""

    path: Path
    n: np.ndarray
    positive: np.ndarray
    bad_label: np.ndarray  # (prompts,) bool
    row: np.ndarray
    sample: np.ndarray
    hit: np.ndarray
    plan: Plan | None = None  # of adaptive sampling

    @property
    def rate(self) -> np.ndarray:
        """Unbiased pass rates, (prompts,), nan without samples: positives over samples unless sampling was adaptive."""
        return (self.plan or Plan(0)).rates(self.n, self.positive)

    @property
    def size(self) -> int:
        """Samples that a prompt's label stands for."""
        return self.plan.n if self.plan else int(self.n.max())

    def first(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(samples, positive) of each prompt among its first `n` samples."""
        early = self.sample < n
        size = len(self.n)
        return (
            np.bincount(self.row[early], minlength=size),
            np.bincount(self.row[early & self.hit], minlength=size),
        )


@dataclass
class Training:
    """One run's training rewards, (prompts,) each: visits as sampled and their positives; and whether any row logged
    the prompt, or a positive of it, replayed ones too, as the paper's code looks at them."""

    visits: np.ndarray
    positives: np.ndarray
    logged: np.ndarray
    rewarded: np.ndarray


@dataclass
class Counts:
    """Everything that classification needs. Prompts are in the order of the first run's prompts.parquet."""

    prompt_ids: pa.Array
    initial: list[EvaluationCounts]  # the distinct ones among the runs
    final: list[EvaluationCounts]  # one a run
    training: list[Training]
    adaptive: bool = False
    threshold: float | None = None  # that classify was told, now or before
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.prompt_ids)

    def initial_counts(self, n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(samples, positive), pooled over the distinct initial evaluations, (prompts,) each."""
        pairs = [(e.n, e.positive) if n is None else e.first(n) for e in self.initial]
        return np.sum([p[0] for p in pairs], axis=0), np.sum([p[1] for p in pairs], axis=0)

    def final_counts(self, n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(samples, positive) of every run, (runs, prompts) each."""
        pairs = [(e.n, e.positive) if n is None else e.first(n) for e in self.final]
        return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])

    def initial_rate(self) -> np.ndarray:
        """To show, (prompts,): pooled, or where sampling was adaptive the mean of unbiased ones."""
        return _mean_rate(self.initial)

    def final_rate(self) -> np.ndarray:
        """The same over all runs, (prompts,)."""
        return _mean_rate(self.final)

    @property
    def bad_label(self) -> np.ndarray:
        return np.any([e.bad_label for e in self.initial + self.final], axis=0)


def _mean_rate(evaluations: list[EvaluationCounts]) -> np.ndarray:
    n, positive = (np.stack(counts) for counts in zip(*((e.n, e.positive) for e in evaluations), strict=True))
    return pooled_rates([e.plan for e in evaluations], n, positive)


def read_counts(
    runs: Sequence[RunDir],
    initial: str = "initial",
    final: str = "final",
    threshold: float | None = None,
    allow_uneven: bool = False,
) -> Counts:
    """All counts of `runs`. Raises UserError for runs that do not belong together and for files that cannot serve.

    threshold: the reward above which a sample is positive; None: the one that was given last, else as the runs say.
    """
    ids = same_prompts(runs)
    threshold = _same_threshold(runs) if threshold is None else threshold
    _same_models(runs)
    finals = [_final(run, final, ids, threshold) for run in runs]
    _no_run_twice(runs, finals)
    initials = _initials(runs, initial, ids, threshold)
    adaptive = any(e.plan for e in initials + finals)
    training = [_training(run, ids) for run in runs]
    notes = [] if threshold is None else _counted_otherwise(runs, training, threshold)
    counts = Counts(ids, initials, finals, training, adaptive, threshold, notes)
    if not allow_uneven:
        for evaluation in initials + finals:
            _check_even(evaluation)
    return counts


def same_prompts(runs: Sequence[RunDir]) -> pa.Array:
    """The prompts of all `runs`, those of the first in its order. Raises UserError where they are not the same."""
    first = _ids(runs[0])
    for run in runs[1:]:
        other = _ids(run)
        shared = pc.sum(pc.is_in(other, value_set=first)).as_py() or 0
        if shared != len(first) or shared != len(other):
            raise UserError(
                f"{runs[0]} and {run} are runs of different data: {shared} prompts are in both, {len(first)} and "
                f"{len(other)} in each; give runs of one data set"
            )
    return first


def _ids(run: RunDir) -> pa.Array:
    ids = Prompts.ids(run)
    if len(ids) == 0:
        raise UserError(f"{run.prompts} has no prompts")
    if pc.count_distinct(ids).as_py() != len(ids):
        raise UserError(f"{run.prompts} names a prompt twice; write it again (train, evaluate or import)")
    return ids


def _same_models(runs: Sequence[RunDir]) -> None:
    models = {run: run.config().model for run in runs}
    known = {run: model for run, model in models.items() if model}
    for run, model in known.items():
        first, first_model = next(iter(known.items()))
        if model != first_model:
            raise UserError(
                f"{first} and {run} start from different models, {first_model!r} and {model!r}; classify runs of one"
            )


def _same_threshold(runs: Sequence[RunDir]) -> float | None:
    """What earlier commands were told. Raises UserError where it was one thing of one run and another of another."""
    told = {run: Summary.read(run).threshold for run in runs}
    first = told[runs[0]]
    for run, other in told.items():
        if other != first:
            raise UserError(
                f"{runs[0]} and {run} were classified with --threshold {_or_none(first)} and {_or_none(other)}; say "
                "which one holds for both: --threshold"
            )
    return first


def _or_none(threshold: float | None) -> str:
    return "none" if threshold is None else f"{threshold:g}"


def _counted_otherwise(runs: Sequence[RunDir], training: Sequence[Training], threshold: float) -> list[str]:
    """A note for each run whose training counted its positives by another threshold: these counts cannot be redone."""
    own = {run: run.config().threshold for run, t in zip(runs, training, strict=True) if t.visits.any()}
    own = {run: POSITIVE_THRESHOLD if found is None else found for run, found in own.items()}
    return [
        f"{run}: training counted rewards above {found:g} as positive, and no_reward is by these counts; its "
        f"evaluations are counted above {threshold:g}"
        for run, found in own.items()
        if found != threshold
    ]


def _no_run_twice(runs: Sequence[RunDir], finals: list[EvaluationCounts]) -> None:
    for j, run in enumerate(runs):
        for i in range(j):
            twice = run.path.resolve() == runs[i].path.resolve() or _same_samples(finals[i], finals[j])
            if twice:
                raise UserError(f"{runs[i]} and {run} are the same run (the same final samples); give each run once")


def _same_samples(a: EvaluationCounts, b: EvaluationCounts) -> bool:
    """Equal outcomes in equal order, some of them varied: two samplings of real runs never are."""
    if not (np.array_equal(a.row, b.row) and np.array_equal(a.hit, b.hit)):
        return False
    rates = a.positive / np.maximum(a.n, 1)
    return bool(np.count_nonzero((rates > 0) & (rates < 1)) >= 3) or a.path.read_bytes() == b.path.read_bytes()


def _final(run: RunDir, tag: str, ids: pa.Array, threshold: float | None) -> EvaluationCounts:
    path = run.evaluation(tag)
    if not path.exists():
        raise missing(run, tag, "TRAINED_MODEL")
    return read_evaluation(path, ids, threshold)


def check_classified(run: RunDir) -> None:
    if not run.learnability.exists():
        raise UserError(f"{run} is not classified: {command('classify', run)}")


def missing(run: RunDir, tag: str, model: str) -> UserError:
    made = command("evaluate", "--run", run, "--tag", tag, "--model", model)
    return UserError(f"{run.evaluation(tag)} is missing; make it: {made}")


def _initials(runs: Sequence[RunDir], tag: str, ids: pa.Array, threshold: float | None) -> list[EvaluationCounts]:
    found = [read_evaluation(run.evaluation(tag), ids, threshold) for run in runs if run.evaluation(tag).exists()]
    if not found:
        raise missing(runs[0], tag, "INITIAL_MODEL")
    distinct: list[EvaluationCounts] = []
    for evaluation in found:
        if not any(np.array_equal(e.row, evaluation.row) and np.array_equal(e.hit, evaluation.hit) for e in distinct):
            distinct.append(evaluation)
    return distinct


def read_evaluation(path: Path, ids: pa.Array, threshold: float | None = None) -> EvaluationCounts:
    """Count one evaluations/TAG.parquet. `threshold`: the reward above which a sample is positive."""
    columns = Evaluations.prompt_id, Evaluations.sample, Evaluations.reward, Evaluations.verdict, Evaluations.positive
    table = Evaluations.open(path, *columns)
    if len(table) == 0:
        raise UserError(f"{path} has no samples; delete it and evaluate again")
    row = table.places(ids)
    known = row >= 0
    if not known.any():
        raise UserError(f"no prompt of {path} is in prompts.parquet; was it made with other data or another template?")
    _check_rewards(table, threshold, path)
    hit = table.hits(threshold)
    bad = pc.equal(table[Evaluations.verdict], "bad_label").to_numpy(zero_copy_only=False)
    bad = np.asarray(bad, dtype=object) == True  # noqa: E712  (null verdicts are no bad label)
    sample = table.sample
    row, hit, bad, sample = row[known], hit[known], bad[known], sample[known]
    size = len(ids)
    return EvaluationCounts(
        path,
        np.bincount(row, minlength=size),
        np.bincount(row[hit], minlength=size),
        np.bincount(row[bad], minlength=size) > 0,
        row,
        sample,
        hit,
        plan_at(path),
    )


def rates_by_prompt(run: RunDir, tag: str) -> dict[str, float]:
    """Prompt id → unbiased pass rate by the evaluation; without the prompts that it has no sample of."""
    ids = Prompts.ids(run)
    rates = zip(ids.to_pylist(), read_evaluation(run.evaluation(tag), ids).rate.tolist(), strict=True)
    return {name: rate for name, rate in rates if not math.isnan(rate)}


def _check_rewards(table: Evaluations, threshold: float | None, path: Path) -> None:
    """Raise UserError where rewards decide and are nan, or are of many values and nobody said which are positive."""
    said = threshold is None and table.has(Evaluations.positive)  # by the run
    try:
        reward = np.asarray(table.reward, dtype=float)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} has rewards that are no numbers ({error}); grade it again") from None
    unknown = ~np.isfinite(reward) & (table.silent() if said else True)
    if unknown.any():
        raise UserError(f"{path} has {np.count_nonzero(unknown)} rewards that are no finite numbers; grade it again")
    if threshold is not None or said:
        return
    values = np.unique(reward)
    if not set(values) <= {0.0, 1.0} and not set(values) <= {-1.0, 1.0}:
        other = values[(values != 0) & (values != 1)][0]
        raise UserError(
            f"{path} has rewards other than 0 and 1 (such as {other:g}); say above which one is positive: "
            + command("classify", RunDir.holding(path), "--threshold", 0.5)
        )


def _check_even(evaluation: EvaluationCounts) -> None:
    if evaluation.plan and evaluation.n.min() > 0:
        return
    if evaluation.n.min() != evaluation.n.max():
        fewest, most = evaluation.n.min(), evaluation.n.max()
        lacking = int(np.count_nonzero(evaluation.n == 0))
        what = (
            f"no samples of {counted(lacking, 'prompt')}"
            if lacking
            else f"between {fewest} and {most} samples a prompt"
        )
        raise UserError(
            f"{evaluation.path} has {what}; finish it (run evaluate again), or accept it with --allow-uneven"
        )


def _training(run: RunDir, ids: pa.Array) -> Training:
    size = len(ids)
    table = Rewards.read(run, Rewards.prompt_id, Rewards.processed, Rewards.n_positive, Rewards.mean_reward)
    row = table.places(ids)
    if len(table) and not (row >= 0).any():
        raise UserError(f"no prompt of {run}/rewards is in {run.prompts}; the run directory mixes two runs")
    as_sampled = (row >= 0) & ~table.processed.astype(bool)
    positive, mean = table.n_positive, table.mean_reward
    if not np.isfinite(mean).all():
        raise UserError(
            f"{run}/rewards has {np.count_nonzero(~np.isfinite(mean))} mean rewards that are no finite numbers"
        )
    return Training(
        np.bincount(row[as_sampled], minlength=size),
        np.bincount(row[as_sampled], weights=positive[as_sampled], minlength=size),
        np.bincount(row[row >= 0], minlength=size) > 0,
        np.bincount(row[(row >= 0) & (positive > 0)], minlength=size) > 0,
    )
