"""What a report is made of: the files of one or several runs, read once, as arrays with one entry a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.adaptive import Plan, plan_of
from openrlhf_unlearn.report.causes import Causes
from openrlhf_unlearn.report.probes import Probe, load_probes
from openrlhf_unlearn.report.provisional import provisional_groups
from openrlhf_unlearn.store.run_dir import RunDir, read_object, read_samples, read_summary, read_table


@dataclass(frozen=True)
class Visits:
    """Rows of rewards/ as sampled, in order of runs and steps, (visits,) each; `row` is the prompt's."""

    run: np.ndarray
    step: np.ndarray
    row: np.ndarray
    n: np.ndarray
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

        threshold: the reward above which a sample of an evaluation is positive; None: as the evaluation says.
        """
        self.runs, self.tau, self.easy, self.initial, self.final = list(runs), tau, easy, initial, final
        self.compared, self.threshold = list(compared), threshold

    @property
    def first(self) -> RunDir:
        return self.runs[0]

    @cached_property
    def config(self) -> dict:
        return self.first.config()

    @cached_property
    def summary(self) -> dict:
        """What other commands wrote into summary.json."""
        return read_summary(self.first)

    # Prompts ---------------------------------------------------------------------------------------------------------

    @cached_property
    def prompts(self) -> pa.Table:
        """prompts.parquet; without it, the ids that rewards name, so that a run cut off early has a page too."""
        if self.first.prompts.exists():
            return read_table(self.first.prompts)
        ids = self.first.read_steps("rewards", ["prompt_id"]).column("prompt_id").unique()
        blank = pa.array([""] * len(ids), pa.string())
        return pa.table({"prompt_id": ids, "prompt": blank, "label": blank, "datasource": blank})

    @cached_property
    def ids(self) -> pa.Array:
        column = self.prompts.column("prompt_id")
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    @property
    def size(self) -> int:
        return len(self.ids)

    def rows_of(self, names: pa.ChunkedArray | pa.Array) -> np.ndarray:
        """The prompt's row for each id, -1 where it is none of this report's."""
        found = pc.index_in(names, value_set=self.ids).fill_null(-1)
        return found.to_numpy(zero_copy_only=False) if isinstance(found, pa.Array) else found.to_numpy()

    def aligned(self, table: pa.Table, column: str) -> np.ndarray:
        """A column of a table with one row a prompt, (prompts,) float, nan where the table has nothing."""
        values = np.full(self.size, np.nan)
        rows = self.rows_of(table.column("prompt_id"))
        values[rows[rows >= 0]] = table.column(column).to_numpy().astype(float)[rows >= 0]
        return values

    @cached_property
    def interventions(self) -> list["Material"]:
        """Each compared run alone, its prompts in this material's order, so that its rows pair with these."""
        settings = self.tau, self.easy, self.initial, self.final, (), self.threshold
        singles = [Material([run], *settings) for run in self.compared]
        for single in singles:
            single.prompts = self.prompts
        return singles

    # Groups ----------------------------------------------------------------------------------------------------------

    @cached_property
    def learnability(self) -> pa.Table | None:
        return read_table(self.first.learnability) if self.first.learnability.exists() else None

    @property
    def provisional(self) -> bool:
        """True while groups are read off training alone, because an evaluation is missing."""
        return self.learnability is None

    @cached_property
    def groups(self) -> np.ndarray:
        """The group of each prompt, (prompts,) of str; "" where nothing is known yet."""
        if self.provisional:
            return provisional_groups(self)
        found = np.full(self.size, "", dtype=object)
        rows = self.rows_of(self.learnability.column("prompt_id"))
        found[rows[rows >= 0]] = np.array(self.learnability.column("group").to_pylist(), dtype=object)[rows >= 0]
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

    def label_column(self, name: str) -> np.ndarray:
        """A numeric column of learnability.parquet, (prompts,), all nan where it is missing."""
        table = self.learnability
        if table is None or name not in table.column_names:
            return np.full(self.size, np.nan)
        return self.aligned(table, name)

    @cached_property
    def causes(self) -> Causes | None:
        """Why prompts were not learned, of a diagnosis; None without one."""
        return None if self.provisional else Causes.read(self.first, self)

    # Training --------------------------------------------------------------------------------------------------------

    @cached_property
    def visits(self) -> Visits:
        tables = [run.read_steps("rewards") for run in self.runs]
        number = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        table = pa.concat_tables(tables, promote_options="default")
        rows = self.rows_of(table.column("prompt_id"))
        kept = ~table.column("processed").to_numpy() & (rows >= 0)
        columns = {name: table.column(name).to_numpy()[kept] for name in table.column_names if name != "prompt_id"}
        mean_reward = np.where(np.isfinite(columns["mean_reward"]), columns["mean_reward"], np.nan)
        known = mean_reward[np.isfinite(mean_reward)]
        binary = bool(((known >= 0) & (known <= 1)).all())
        earlier = mean_reward if binary else columns["n_positive"] / np.maximum(1, columns["n"])
        pass_rate = columns.get("pass_rate", earlier)
        return Visits(
            run=number[kept],
            step=columns["step"],
            row=rows[kept],
            n=columns["n"],
            n_positive=columns["n_positive"],
            mean_reward=mean_reward,
            pass_rate=np.where(np.isfinite(pass_rate), pass_rate, earlier),
            accepted=columns["accepted"],
            reason=columns["reason"],
            failed={name: columns[f"n_{name}"] for name in ("no_answer", "timeout", "error")},
        )

    def per_prompt(self, values: np.ndarray) -> np.ndarray:
        """Sum over the visits of each prompt; values: (visits,)."""
        return np.bincount(self.visits.row, weights=values, minlength=self.size)

    def steps_of(self, name: str) -> pa.Table:
        """All rows of one of the tables with a file a step, of all runs; `row` is the prompt's, unknown ones left out.

        Files are read one by one, in order of runs and steps.
        """
        if name not in self._steps:
            table = pa.concat_tables([run.read_steps(name) for run in self.runs], promote_options="default")
            rows = self.rows_of(table.column("prompt_id"))
            self._steps[name] = table.append_column("row", pa.array(rows)).filter(pa.array(rows >= 0))
        return self._steps[name]

    @cached_property
    def _steps(self) -> dict[str, pa.Table]:
        return {}

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
    def judgements(self) -> dict[str, pa.Table]:
        """Evaluation tag → every score of its rollouts' reasoning, in the order of the tags."""
        paths = {tag: self.first.judgements(tag) for tag in self.tags}
        return {tag: read_table(path) for tag, path in paths.items() if path.exists()}

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

    @cached_property
    def _tallies(self) -> dict[str, Tally | None]:
        return {}

    def _tally(self, tag: str) -> Tally | None:
        paths = [run.evaluation(tag) for run in self.runs if run.evaluation(tag).exists()]
        if not paths:
            return None
        n, positive, verdicts, rates, adaptive = np.zeros(self.size, int), np.zeros(self.size, int), {}, [], False
        for path in paths:
            table, positives = read_samples(path, ["prompt_id", "reward", "verdict"], self.threshold)
            rows = self.rows_of(table.column("prompt_id"))
            known = rows >= 0
            hit = known & positives
            mine = np.bincount(rows[known], minlength=self.size), np.bincount(rows[hit], minlength=self.size)
            n, positive = n + mine[0], positive + mine[1]
            about = path.with_suffix(".json")
            plan = plan_of(read_object(about)) if about.exists() else None
            rates.append((plan or Plan(0)).rates(*mine))
            adaptive |= plan is not None
            verdict = np.array(table.column("verdict").fill_null("wrong").to_pylist(), dtype=object)
            for name in set(verdict):
                counted = np.bincount(rows[known & (verdict == name)], minlength=self.size)
                verdicts[name] = verdicts.get(name, 0) + counted
        if adaptive:  # each run counts alike: how often a prompt was sampled depends on what came out
            seen = np.isfinite(rates)
            rate = np.divide(np.nansum(rates, axis=0), seen.sum(axis=0), out=np.full(self.size, np.nan), where=n > 0)
        else:
            rate = np.divide(positive, n, out=np.full(self.size, np.nan), where=n > 0)
        return Tally(n, positive, verdicts, rate, adaptive)


def _digits(tag: str) -> int:
    return int("".join(filter(str.isdigit, tag)) or 0)


def check_same_prompts(runs: Sequence[RunDir], compared: bool = False) -> None:
    """Raises UserError unless all runs hold the prompts of the first; compared ones, some of them."""
    if len(runs) < 2:
        return
    first = set(read_table(runs[0].prompts, ["prompt_id"]).column(0).to_pylist())
    for run in runs[1:]:
        other = set(read_table(run.prompts, ["prompt_id"]).column(0).to_pylist())
        if not (first & other if compared else first == other):
            raise UserError(
                f"{runs[0]} and {run} are runs of different data ({len(first & other)} prompts are in both, "
                f"{len(first)} and {len(other)} in each); analyze them one by one"
            )
