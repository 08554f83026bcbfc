"""The numbers of the miniature's claims, read from its run directories; each with its 95 % interval."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from openrlhf_unlearn.labels.counts import rates_by_prompt
from openrlhf_unlearn.stats.means import apart, mean_interval, rate_difference, rate_interval
from openrlhf_unlearn.store.columns import Column
from openrlhf_unlearn.store.evaluations import Judgements
from openrlhf_unlearn.store.probes import Interference, Similarity, Variants
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_json
from openrlhf_unlearn.store.table import Table
from openrlhf_unlearn.store.training import Clipping, Rewards
from openrlhf_unlearn.worlds.agreement import read_groups
from openrlhf_unlearn.worlds.truth import Truth

Values = dict[str, float]  # prompt id → number


@dataclass(frozen=True)
class Number:
    """`low` and `high` are the 95 % interval, nan without one: no verdict is read from such a number."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "none"
        if math.isnan(self.low):
            return f"{self.value:.3f} (no interval)".replace("-", "−")
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})".replace("-", "−")


NONE = Number(math.nan, math.nan, math.nan)


class Miniature:
    """The folder of miniature.sh. Groups are those of its runs together, by prompt id."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.runs = [RunDir(path) for path in sorted(folder.glob("runs/*/run"))]

    @cached_property
    def groups(self) -> dict[str, str]:
        return read_groups(self.runs[0].learnability)

    def run(self, *names: str) -> RunDir:
        return RunDir(self.folder.joinpath(*names, "run"))

    def minutes(self, step: str) -> float | None:
        path = self.folder / "done" / step
        return int(path.read_text()) / 60 if path.exists() else None

    def of(self, group: str, values: Values) -> Values:
        return {name: value for name, value in values.items() if self.groups.get(name) == group}


# Numbers of values by prompt -----------------------------------------------------------------------------------------


def mean(values: Values, interval=mean_interval) -> Number:
    middle, ends = interval(np.array(list(values.values()), float))
    if middle is None:
        return NONE
    return Number(middle, *(ends or (math.nan, math.nan)))


def rate(values: Values) -> Number:
    """Mean of numbers in [0, 1]."""
    return mean(values, rate_interval)


def paired(a: Values, b: Values) -> Number:
    """Mean of a − b over the prompts of both."""
    return mean({name: a[name] - b[name] for name in a.keys() & b.keys()})


def paired_rates(a: Values, b: Values) -> Number:
    """The same of numbers in [0, 1]."""
    both = sorted(a.keys() & b.keys())
    middle, ends = rate_difference(*(np.array([side[name] for name in both], float) for side in (a, b)))
    return NONE if middle is None else Number(middle, *(ends or (math.nan, math.nan)))


def gap(a: Values, b: Values) -> Number:
    """Difference of the means of two groups of prompts."""
    return minus(mean(a), mean(b))


def minus(a: Number, b: Number) -> Number:
    """a − b of different prompts."""
    return Number(a.value - b.value, *apart(a.value, (a.low, a.high), b.value, (b.low, b.high)))


def average(pairs: Iterable[tuple[str, float]]) -> Values:
    """Mean of the numbers of each prompt."""
    found = defaultdict(list)
    for name, value in pairs:
        found[name].append(float(value))
    return {name: float(np.mean(values)) for name, values in found.items()}


def by_prompt(table: Table, column: Column) -> Values:
    """Mean of a column over a table's rows of each prompt; empty cells are left out."""
    cells = zip(table.values(table.columns["prompt_id"]), table[column].to_pylist(), strict=True)
    return average((name, value) for name, value in cells if value is not None)


def rewards(run: RunDir, first: float = 0.0, last: float = 1.0) -> Values:
    """Mean training reward as sampled, over the steps from `first` to `last` of the whole."""
    end, table = max(run.steps()), Rewards.read(run)
    mine = ~table.processed & (table.step > first * end) & (table.step <= last * end)
    return by_prompt(table.filter(mine), Rewards.mean_reward)


def pooled(parts: list[Values]) -> Values:
    """Mean over runs of each prompt's value."""
    return average(pair for part in parts for pair in part.items())


def cosines(run: RunDir, probe: str) -> Values:
    return by_prompt(Similarity.read(run, probe), Similarity.mean_cosine)


# Numbers of the claims -----------------------------------------------------------------------------------------------


def hard_share(mini: Miniature) -> Number:
    found = read_json(mini.runs[0].summary)["classify"]["hard"]["unlearnable"]
    return Number(found["share"], *found["interval"])


def reward_rise(mini: Miniature, group: str) -> Number:
    late = pooled([rewards(run, 0.9, 1.0) for run in mini.runs])
    return paired_rates(mini.of(group, late), pooled([rewards(run, 0.0, 0.1) for run in mini.runs]))


def late_reward(mini: Miniature, group: str) -> Number:
    return rate(mini.of(group, pooled([rewards(run, 0.9, 1.0) for run in mini.runs])))


def final(*names: str) -> Callable[[Miniature], Number]:
    """Final pass@1 of the unlearnable, of the run in a folder of the miniature."""
    return lambda mini: rate(mini.of("unlearnable", rates_by_prompt(mini.run(*names), "final")))


def replay_slows(mini: Miniature) -> Number:
    a, b = (rewards(mini.run("hypotheses", name)) for name in ("oversample_replay", "baseline"))
    return paired_rates(mini.of("learnable", a), b)


def clip_ratio(mini: Miniature) -> Number:
    shares = by_prompt(Clipping.read(mini.run("hypotheses", "baseline")), Clipping.positive_clip_fraction)
    a, b = (np.array(list(mini.of(group, shares).values())) for group in ("unlearnable", "learnable"))
    if not len(a) or not len(b) or b.max() == 0:  # nothing to be a multiple of
        return NONE
    if np.ptp(a) == 0 or np.ptp(b) == 0:  # drawn again, equal values vary no more than before
        return Number(a.mean() / b.mean(), math.nan, math.nan)
    rng = np.random.default_rng(0)
    drawn = ((rng.choice(a, len(a)), rng.choice(b, len(b))) for _ in range(400))
    ratios = [x.mean() / max(y.mean(), 1e-12) for x, y in drawn]
    return Number(a.mean() / b.mean(), *map(float, np.quantile(ratios, (0.025, 0.975))))


def cosine_gap(probe: str) -> Callable[[Miniature], Number]:
    def number(mini: Miniature) -> Number:
        found = cosines(mini.runs[0], probe)
        return gap(mini.of("learnable", found), mini.of("unlearnable", found))

    return number


def corrected_gap(mini: Miniature) -> Number:
    found = read_json(mini.runs[0].probe_json("initial"))["group_to_all"]
    numbers = [found.get(group) or {} for group in ("learnable", "unlearnable")]
    if any(entry.get("corrected") is None for entry in numbers):
        return NONE
    return minus(*(Number(entry["corrected"], entry["low"], entry["high"]) for entry in numbers))


def against_full(mini: Miniature) -> Number:
    """Pearson's r with Fisher's interval."""
    found = read_json(mini.runs[0].probe_json("initial"))["against_full"]
    z, half = math.atanh(found["correlation"]), 1.96 / math.sqrt(found["prompts"] - 3)
    return Number(found["correlation"], math.tanh(z - half), math.tanh(z + half))


def interference(mini: Miniature) -> Number:
    found = by_prompt(Interference.read(mini.runs[0], "initial"), Interference.within)
    return gap(mini.of("unlearnable", found), mini.of("learnable", found))


def reasoning(mini: Miniature, group: str, tag: str) -> Number:
    return mean(mini.of(group, by_prompt(Judgements.read(mini.runs[0], tag), Judgements.score)))


def similar_learned(mini: Miniature) -> Number:
    run = mini.run("augment")
    prompt = Prompts.read(run).by_prompt()
    return rate({name: p for name, p in rates_by_prompt(run, "final").items() if prompt[name].datasource == "similar"})


def variant_pull(mini: Miniature) -> Number:
    table = Variants.read(mini.runs[0], "initial")
    return paired(by_prompt(table, Variants.cosine), by_prompt(table, Variants.mean_cosine))


def sft_gap(mini: Miniature) -> Number:
    tags = [tag for tag in mini.runs[0].evaluation_tags() if tag.startswith("sft-")]
    found = rates_by_prompt(mini.runs[0], max(tags, key=lambda tag: int(tag.removeprefix("sft-"))))
    return minus(rate(mini.of("learnable", found)), rate(mini.of("unlearnable", found)))


def mid_rise(group: str) -> Callable[[Miniature], Number]:
    def number(mini: Miniature) -> Number:
        base, mid = (cosines(mini.runs[0], name) for name in ("base", "mid"))
        return paired(mini.of(group, mid), base)

    return number


# Trained and held-out prompts ----------------------------------------------------------------------------------------


def trained_and_held(mini: Miniature) -> dict[str, dict[str, tuple[Number, Number]]]:
    """Of each model with a held-out evaluation: planted cause → final pass@1 of trained and of held-out prompts."""
    causes = {
        name: {row.prompt_id: row.cause for row in Truth.open(mini.folder / "world" / f"{name}.parquet").rows()}
        for name in ("truth", "heldout_truth")
    }
    found = {}
    for path in sorted((mini.folder / "heldout").glob("*/evaluations/final.parquet")):
        name = path.parts[-3]
        run = mini.run(*name.split("--"))
        rates = [rates_by_prompt(each, "final") for each in (run, RunDir.holding(path))]
        sides = list(zip(rates, causes.values(), strict=True))
        found[name.replace("--", "/")] = {
            cause: tuple(rate(_caused_by(cause, values, planted)) for values, planted in sides)
            for cause in set(causes["truth"].values())
        }
    return found


def _caused_by(cause: str, values: Values, planted: dict[str, str]) -> Values:
    return {name: value for name, value in values.items() if planted.get(name) == cause}
