"""What a report is made of: the files of one or several runs, read once, as arrays with one entry a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.errors import UserError, command
from openrlhf_unlearn.evaluation.adaptive import plan_at, pooled_rates
from openrlhf_unlearn.report.causes import Causes
from openrlhf_unlearn.report.probes import Probe, load_probes
from openrlhf_unlearn.report.provisional import provisional_groups
from openrlhf_unlearn.store.columns import Column
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.evaluations import Evaluations, Judgements
from openrlhf_unlearn.store.prompts import Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.summary import Summary
from openrlhf_unlearn.store.table import StepTable, Table
from openrlhf_unlearn.store.training import Rewards

Steps = TypeVar("Steps", bound=StepTable)
_VISIT = (
    Rewards.step, Rewards.prompt_id, Rewards.processed, Rewards.n, Rewards.n_hinted, Rewards.n_positive,
    Rewards.pass_rate, Rewards.mean_reward, Rewards.accepted, Rewards.reason, Rewards.n_no_answer, Rewards.n_timeout,
    Rewards.n_error,
)  # fmt: skip
_SAMPLE = Evaluations.prompt_id, Evaluations.reward, Evaluations.verdict, Evaluations.positive


@dataclass(frozen=True)
class Visits:
    """Rows of rewards/ as sampled, in order of runs and steps, (visits,) each; `row` is the prompt's."""

    run: np.ndarray
    step: np.ndarray
    row: np.ndarray
    n: np.ndarray
    n_hinted: np.ndarray  # rollouts with a hint, besides n
    n_positive: np.ndarray
    mean_reward: np.ndarray
    pass_rate: np.ndarray  # share of positives, unbiased; of earlier versions' runs the mean, if from 0 to 1
    accepted: np.ndarray
    reason: np.ndarray
    failed: dict[str, np.ndarray]  # no_answer, timeout, error: rollouts with that verdict


@dataclass(frozen=True)
class Tally:
    """One evaluation, pooled over the runs: samples and positives a prompt, (prompts,), and counts of verdicts.

    rate: (prompts,) pass@1 to show, unbiased where sampling was adaptive (then positives over samples are not), nan
    without samples.
    """

    n: np.ndarray
    positive: np.ndarray
    verdicts: dict[str, np.ndarray]
    rate: np.ndarray
    adaptive: bool


@dataclass(frozen=True)
class Missing:
    """One thing that a report lacks: what it is, why, and the command that gets it."""

    what: str
    why: str
    command: str


class Material:
    """The runs of one report; all of them must hold the same prompts. Files are read when they are first asked for."""

    def __init__(
        self,
        runs: Sequence[RunDir],
        tau: float = 0.1,
        easy: float = 0.1,
        initial: str = "initial",
        final: str = "final",
        compared: Sequence[RunDir] = (),
        threshold: float | None = None,
    ):
        """`runs` are repetitions and are pooled; `compared` are interventions to set side by side, the first first.

        threshold: the reward above which a sample of an evaluation is positive; None: as the first run says.
        """
        self.runs, self.tau, self.easy, self.initial, self.final = list(runs), tau, easy, initial, final
        self.compared, self._threshold = list(compared), threshold

    @property
    def first(self) -> RunDir:
        return self.runs[0]

    @cached_property
    def config(self) -> RunConfig:
        return self.first.config()

    @cached_property
    def summary(self) -> Summary:
        """What other commands wrote into summary.json."""
        return Summary.read(self.first)

    @property
    def threshold(self) -> float | None:
        """Of all runs, so that those that are compared are counted alike; None: each one's own."""
        return self.summary.threshold if self._threshold is None else self._threshold

    # Prompts ---------------------------------------------------------------------------------------------------------

    @cached_property
    def prompts(self) -> Prompts:
        """prompts.parquet; without it, the ids that rewards name, so that a run cut off early has a page too."""
        if self.first.prompts.exists():
            return Prompts.read(self.first)
        ids = Rewards.read(self.first, Rewards.prompt_id)[Rewards.prompt_id].unique()
        blank = [""] * len(ids)
        return Prompts.of(prompt_id=ids, prompt=blank, label=blank, datasource=blank)

    @cached_property
    def ids(self) -> pa.Array:
        return self.prompts[Prompts.prompt_id].combine_chunks()

    @property
    def size(self) -> int:
        return len(self.ids)

    def aligned(self, table: Table, column: Column[np.ndarray]) -> np.ndarray:
        """A column of a table with one row a prompt, (prompts,) float, nan where the table has nothing."""
        values = np.full(self.size, np.nan)
        rows = table.places(self.ids)
        values[rows[rows >= 0]] = table.values(column).astype(float)[rows >= 0]
        return values

    @cached_property
    def interventions(self) -> list["Material"]:
        """Each compared run alone, its prompts in this material's order, so that its rows pair with these.

        Raises UserError where one was classified with another threshold than the first, and none is given.
        """
        told = {run: Summary.read(run).threshold for run in self.compared if self._threshold is None}
        own = "none" if self.threshold is None else self.threshold
        for run, threshold in told.items():
            if threshold not in (None, own):
                raise UserError(
                    f"{run} was classified with --threshold {threshold}, {self.first} with {own}: "
                    + command("classify", self.first, "--threshold", threshold)
                )
        settings = self.tau, self.easy, self.initial, self.final, (), self.threshold
        singles = [Material([run], *settings) for run in self.compared]
        for single in singles:
            single.prompts = self.prompts
        return singles

    # Groups ----------------------------------------------------------------------------------------------------------

    @cached_property
    def learnability(self) -> Learnability | None:
        return Learnability.read(self.first) if self.first.learnability.exists() else None

    @property
    def provisional(self) -> bool:
        """True while groups are read off training alone, because an evaluation is missing."""
        return self.learnability is None

    @property
    def labels(self) -> dict[str, Any]:
        """What classify says of its labels; nothing while groups are provisional."""
        return {} if self.provisional else self.summary.classify

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of each prompt, (prompts,) of str; "" where nothing is known yet."""
        table = self.learnability
        if table is None:
            return provisional_groups(self)
        found = np.full(self.size, "", dtype=object)
        rows = table.places(self.ids)
        found[rows[rows >= 0]] = np.array(table.group, dtype=object)[rows >= 0]
        return found

    @cached_property
    def curve_groups(self) -> np.ndarray:
        """The groups that curves of training rewards are drawn by, (prompts,) of str.

        While groups are read off these same rewards, a curve by them would rise or fall by chance alone; so until there
        are labels, prompts are told apart by the evaluation before training, or not at all.
        """
        if not self.provisional:
            return self.groups
        initial = self.tally(self.initial)
        if initial is None:
            return np.full(self.size, "all", dtype=object)
        return np.where(np.isnan(initial.rate), "", np.where(initial.rate >= self.easy, "easy", "hard")).astype(object)

    def label_column(self, column: Column[np.ndarray]) -> np.ndarray:
        """A numeric column of `Learnability`, (prompts,), all nan where it is missing."""
        table = self.learnability
        return np.full(self.size, np.nan) if table is None else self.aligned(table, column)

    @cached_property
    def causes(self) -> Causes | None:
        """Why prompts were not learned, of a diagnosis; None without one."""
        return None if self.provisional else Causes.read(self.first, self)

    # Training --------------------------------------------------------------------------------------------------------

    @cached_property
    def visits(self) -> Visits:
        tables = [Rewards.read(run, *_VISIT) for run in self.runs]
        number = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        table = Rewards.joined(tables)
        rows = table.places(self.ids)
        kept = ~table.processed & (rows >= 0)
        table = table.filter(kept)
        mean_reward = np.where(np.isfinite(table.mean_reward), table.mean_reward, np.nan)
        known = mean_reward[np.isfinite(mean_reward)]
        binary = bool(((known >= 0) & (known <= 1)).all())
        earlier = mean_reward if binary else table.n_positive / np.maximum(1, table.n)
        return Visits(
            run=number[kept],
            step=table.step,
            row=rows[kept],
            n=table.n,
            n_hinted=np.nan_to_num(table.n_hinted.astype(float)),
            n_positive=table.n_positive,
            mean_reward=mean_reward,
            pass_rate=np.where(np.isfinite(table.pass_rate), table.pass_rate, earlier),
            accepted=table.accepted,
            reason=np.array(table.reason, dtype=object),
            failed={"no_answer": table.n_no_answer, "timeout": table.n_timeout, "error": table.n_error},
        )

    def per_prompt(self, values: np.ndarray) -> np.ndarray:
        """Sum over the visits of each prompt; values: (visits,)."""
        return np.bincount(self.visits.row, weights=values, minlength=self.size)

    def by_run(self, values: np.ndarray) -> np.ndarray:
        """The same in each run alone, (runs, prompts)."""
        found = np.zeros((len(self.runs), self.size))
        np.add.at(found, (self.visits.run, self.visits.row), values)
        return found

    def steps_of(self, kind: type[Steps]) -> tuple[Steps, np.ndarray]:
        """All rows of one of the tables with a file a step, of all runs, and each one's prompt, (rows,).

        Unknown prompts are left out. Files are read one by one, in order of runs and steps.
        """
        table = kind.joined(kind.read(run) for run in self.runs)
        rows = table.places(self.ids)
        return table.filter(rows >= 0), rows[rows >= 0]

    # Probes and judgements -------------------------------------------------------------------------------------------

    @cached_property
    def probes(self) -> dict[str, Probe]:
        return load_probes(self)

    @property
    def probe(self) -> Probe | None:
        """The probe before training, or the first there is."""
        probes = list(self.probes.values())
        return next((probe for probe in probes if probe.tag == self.initial), probes[0] if probes else None)

    @cached_property
    def judgements(self) -> dict[str, Judgements]:
        """Evaluation tag → every score of its rollouts' reasoning, in the order of the tags."""
        judged = (tag for tag in self.tags if self.first.judgements(tag).exists())
        return {tag: Judgements.read(self.first, tag) for tag in judged}

    # Evaluations -----------------------------------------------------------------------------------------------------

    @cached_property
    def tags(self) -> list[str]:
        """Evaluation tags of any run: the initial one first, the final one last, steps between in their order."""
        found = {tag for run in self.runs for tag in run.evaluation_tags()}
        order = {self.initial: -1, self.final: 10**9}
        return sorted(found, key=lambda tag: (order.get(tag, _digits(tag)), tag))

    def tally(self, tag: str) -> Tally | None:
        """The evaluation `tag` pooled over the runs that have it, or None."""
        return self._tallies.setdefault(tag, self._tally(tag)) if tag not in self._tallies else self._tallies[tag]

    def rates(self, tag: str) -> np.ndarray:
        """pass@1 of each prompt at an evaluation, (prompts,), nan where it was not evaluated."""
        tally = self.tally(tag)
        return np.full(self.size, np.nan) if tally is None else tally.rate

    @cached_property
    def _tallies(self) -> dict[str, Tally | None]:
        return {}

    def _tally(self, tag: str) -> Tally | None:
        paths = [run.evaluation(tag) for run in self.runs if run.evaluation(tag).exists()]
        if not paths:
            return None
        counts, verdicts, plans = [], {}, [plan_at(path) for path in paths]
        for path in paths:
            table = Evaluations.open(path, *_SAMPLE)
            rows = table.places(self.ids)
            known = rows >= 0
            hit = known & table.hits(self.threshold)
            counts.append([np.bincount(rows[mine], minlength=self.size) for mine in (known, hit)])
            verdict = np.array(table[Evaluations.verdict].fill_null("wrong").to_pylist(), dtype=object)
            for name in set(verdict):
                counted = np.bincount(rows[known & (verdict == name)], minlength=self.size)
                verdicts[name] = verdicts.get(name, 0) + counted
        n, positive = np.array(counts).transpose(1, 0, 2)
        return Tally(n.sum(0), positive.sum(0), verdicts, pooled_rates(plans, n, positive), any(plans))


def _digits(tag: str) -> int:
    return int("".join(filter(str.isdigit, tag)) or 0)


def check_same_prompts(runs: Sequence[RunDir], compared: bool = False) -> None:
    """Raises UserError unless all runs hold the prompts of the first; compared ones, some of them."""
    if len(runs) < 2:
        return
    first = set(Prompts.ids(runs[0]).to_pylist())
    for run in runs[1:]:
        other = set(Prompts.ids(run).to_pylist())
        if not (first & other if compared else first == other):
            raise UserError(
                f"{runs[0]} and {run} are runs of different data ({len(first & other)} prompts are in both, "
                f"{len(first)} and {len(other)} in each); analyze them one by one"
            )
