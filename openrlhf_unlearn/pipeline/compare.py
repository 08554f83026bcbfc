"""`openrlhf-unlearn compare RUN_BEFORE RUN_AFTER`: what a remedy did to the prompts that a run had not learned.

    openrlhf-unlearn compare plain/run hinted/run
    openrlhf-unlearn compare plain/run hinted/run --repeat plain-1/run plain-2/run   against what seeds give
    openrlhf-unlearn compare plain/run hinted/run --hints hints/hint_50.jsonl  cosines of the hinted prompts too

RUN_BEFORE is classified; both have evaluations of the plain prompts (`evaluate --data PLAIN --run RUN_AFTER`, whatever
RUN_AFTER trained on), so that solved means solved without hints. Prompts are paired by id. Printed: of each group how
many are solved afterwards, with intervals and what luck or other seeds would give; learnable prompts lost; mean
pass@1; noise-corrected cosines where both runs have a probe of the same name; rollouts and hours spent. `--format json`
prints the numbers. They are kept in RUN_AFTER's summary.json, from which `analyze RUN_AFTER` shows them.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from openrlhf_unlearn.errors import UsageError, UserError, command, counted, one_line
from openrlhf_unlearn.labels.counts import check_classified, missing, read_counts
from openrlhf_unlearn.labels.posterior import Posterior
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.report.advice import sampling_hours
from openrlhf_unlearn.report.interventions import comparison, final_rate
from openrlhf_unlearn.report.material import Material, Tally
from openrlhf_unlearn.report.numbers import show
from openrlhf_unlearn.report.remedy import COMPARED, as_numbers, cosine_rows, solved_rows, verdicts
from openrlhf_unlearn.stats.means import another_mean, rate_difference
from openrlhf_unlearn.store.run_dir import RunDir, as_json
from openrlhf_unlearn.store.summary import Summary, update_summary
from openrlhf_unlearn.store.training import Rewards


@dataclass(frozen=True)
class CompareOptions(Options):
    before: str = option("the run without the remedy, classified", positional=True, metavar="RUN_BEFORE")
    after: str = option("the run with it", positional=True, metavar="RUN_AFTER")
    repeat: Sequence[str] | None = option(
        "the run without the remedy again, with other seeds: two or more tell how much seeds differ",
        None,
        metavar="RUN",
    )
    tau: float | None = option("final pass@1 from which a prompt is solved: as RUN_BEFORE was classified", None)
    final: str = option("evaluation after training", "final", metavar="TAG")
    hints: Path | None = option("hinted data of `openrlhf-unlearn hints`, to pair probes by origin", None)
    format: str = option("what is printed", "text", choices=["text", "json"])

    def check(self) -> None:
        if self.tau is not None and not 0 < self.tau <= 1:
            raise UsageError(f"--tau {self.tau}: a pass rate above 0 and at most 1")


class Compared(NamedTuple):
    """What the runs differ in: the numbers, as summary.json keeps them, and the sentences that they allow."""

    numbers: dict
    sentences: list[str]


OPTIONS = CompareOptions
HINTED = " (plain / hinted)"
TAU = 0.1  # of groups that classify did not note


def run(options: CompareOptions) -> None:
    numbers, sentences = compare(options)
    print(as_json(numbers) if options.format == "json" else as_text(numbers, sentences))


@takes(CompareOptions)
def compare(args: CompareOptions) -> Compared:
    """What changed between two runs; kept in the summary of the run after, for its report.

    Raises UserError for runs that cannot be paired.
    """
    runs = [RunDir.open(path) for path in (args.before, args.after, *(args.repeat or ()))]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise UserError("the same run is given twice; compare two runs")
    check_classified(runs[0])
    for run in runs:
        if not run.evaluation(args.final).exists():
            raise missing(run, args.final, "TRAINED_MODEL")
    tau = tau_of(runs[0], args.tau)
    material = Material(runs[:1], tau, final=args.final, compared=runs)
    rates = [final_rate(single) for single in material.interventions]
    for i in (0, *range(2, len(runs))):
        if not np.isfinite(rates[i] + rates[1]).any():
            named = f"{'--repeat ' * (i > 1)}{runs[i]}"
            raise UserError(f"{named} and {runs[1]} have evaluated no prompt in common; evaluate the same data")
    for i in range(2, len(runs)):
        check_samples(material, i, args.final)
    luck = luck_of(material, args)
    rows = solved_rows(material.groups, rates[1], luck, rates[2:], tau)
    said = [sentence.text for sentence in verdicts(rows)]
    numbers = {
        "runs": list(map(str, runs)),
        "tau": tau,
        "solved": as_numbers(rows),
        "pass_rates": comparison(material)["rows"],
        "to_repeats": to_repeats(material.groups, rates[1], rates[2:]),
        "cosines": cosines(material, args.hints),
        "spent": [spent(run) for run in runs],
        "verdicts": said,
    }
    try:
        update_summary(runs[1], "compare", numbers)
    except (OSError, UserError) as error:
        print(f"note: the report of {runs[1]} will not show this: {one_line(error)}", file=sys.stderr)
    return Compared(numbers, said)


def check_samples(material: Material, repeat: int, tag: str) -> None:
    """Raises UserError where a repeated run is no null of the run after: of few samples more are found solved."""
    tallies = [(material.interventions[i].tally(tag), material.compared[i]) for i in (repeat, 1)]
    if any(tally.adaptive for tally, _ in tallies if tally):
        return
    counts = [(samples_of(tally), run) for tally, run in tallies if tally]
    (few, low), (many, _) = sorted(counts, key=lambda one: one[0])
    if few != many:
        more = command("evaluate", "--run", low, "--tag", tag, "-n", many, "--model", "TRAINED_MODEL")
        raise UserError(
            f"{low} was evaluated with {counted(few, 'sample')} a prompt, the other one with {many}, and luck finds "
            f"more prompts solved with fewer; first: {more}"
        )


def to_repeats(groups: np.ndarray, after: np.ndarray, repeats: Sequence[np.ndarray]) -> list[dict]:
    """Of each group, final pass@1 of the run after less that of the repeated runs (their mean), paired by prompt; none
    of these runs' samples chose the groups. The interval is over prompts, and of several repeated runs at least as wide
    as what another seed gives."""
    rows = []
    for group in COMPARED if len(repeats) else ():
        mine = groups == group
        again = np.mean([rates[mine] for rates in repeats], axis=0)
        difference, interval = rate_difference(after[mine], again)
        if difference is not None:
            both = np.isfinite(after[mine] + again)
            prompts = int(both.sum())
            if len(repeats) > 1 and interval:
                half = another_mean(np.array([rates[mine][both].mean() for rates in repeats]))
                interval = [min(interval[0], difference - half), max(interval[1], difference + half)]
            row = {"group": group, "prompts": prompts, "difference": difference, "difference_interval": interval}
            rows.append(row)
    return rows


def tau_of(before: RunDir, given: float | None) -> float:
    """The one that parted the groups. Raises UserError for another: what these groups do not call solved could be
    counted as lost, and what they do as gained."""
    known = Summary.read(before).classify
    tau = known.get("tau") or given or TAU
    if given not in (None, tau):
        also = [word for name in ("easy", "rule") if name in known for word in (f"--{name}", known[name])]
        runs = known.get("runs") or []
        again = command("classify", *(runs if len(runs) > 1 else [before]), "--tau", given, *also)
        raise UserError(f"--tau {given:g}: {before} was classified with {tau:g}; leave --tau out, or first: {again}")
    return tau


def luck_of(material: Material, args: CompareOptions) -> np.ndarray | None:
    """P(a second evaluation of the run before finds it solved), (prompts,); None where samples were adaptive."""
    after = material.interventions[1].tally(args.final)
    assert after  # it has a final rate
    counts = read_counts(material.runs, final=args.final, allow_uneven=True)
    if after.adaptive or counts.adaptive:
        return None
    return Posterior(counts.initial_counts(), counts.final_counts()).solved_again(material.tau, samples_of(after))


def samples_of(tally: Tally) -> int:
    """How many samples a prompt an evaluation has."""
    return int(np.median(tally.n[tally.n > 0]))


def cosines(material: Material, hints: Path | None) -> dict[str, list[dict]]:
    """Probe name → rows by group: of the probes that both runs have, and, as `NAME (plain / hinted)`, of the run after
    alone: its plain prompts stand as `before`, the same ones with a hint as `after`."""
    before, after = (single for single in material.interventions[:2])
    pairs = {n: (before.probes[n].corrected, p.corrected) for n, p in after.probes.items() if n in before.probes}
    if hints:
        hinted = hinted_cosines(material, after.first, hints)
        pairs |= {f"{n}{HINTED}": (after.probes[n].corrected, v) for n, v in hinted.items() if n in after.probes}
    rows = {name: cosine_rows(material.groups, *pair) for name, pair in pairs.items()}
    return {name: of_groups for name, of_groups in rows.items() if of_groups}


def hinted_cosines(material: Material, after: RunDir, hints: Path) -> dict[str, np.ndarray]:
    """Probe name → corrected cosine of each plain prompt's hinted one in the run after, (prompts,)."""
    from openrlhf_unlearn.evaluation.prompts import identified_rows

    rows = identified_rows(material.first, str(hints), "compare without --hints")
    if not rows or "origin" not in rows[0][1]:
        raise UserError(f"--hints {hints}: its rows have no origin; give a file of `openrlhf-unlearn hints`")
    plain = {name: row["origin"] for name, row in rows if row["origin"] != name}
    single = Material([after], material.tau)
    place = {name: i for i, name in enumerate(material.ids.to_pylist())}
    found = {}
    for tag, probe in single.probes.items():
        values = np.full(material.size, np.nan)
        for name, value in zip(single.ids.to_pylist(), probe.corrected, strict=True):
            if plain.get(name) in place:
                values[place[plain[name]]] = value
        found[tag] = values
    return found


def spent(run: RunDir) -> dict:
    """Rollouts that training sampled and hours where the step files tell them."""
    hours = sampling_hours(Material([run]))
    return {"run": str(run), "steps": len(run.steps()), "rollouts": rollouts_sampled(run), "hours": hours}


def rollouts_sampled(run: RunDir) -> int:
    """Those that training sampled, of hinted prompts too."""
    table = Rewards.read(run, Rewards.processed, Rewards.n, Rewards.n_hinted)
    return int((table.n + np.nan_to_num(table.n_hinted))[~table.processed].sum())


def _difference(row: dict) -> str:
    """Of a row with a difference and perhaps an interval."""
    between = row["difference_interval"]
    shown = "" if between is None else f" ({show(between[0], 'signed')} to {show(between[1], 'signed')})"
    return f"difference {show(row['difference'], 'signed')}{shown}"


def as_text(numbers: dict, sentences: list[str]) -> str:
    lines = [f"{'group':<12}{'prompts':>8}{'solved':>8}   {'share':<18}{'by luck':>8}{'repeat':>8}   after less repeat"]
    for row in numbers["solved"]:
        share = "{:.3f} ({:.3f}-{:.3f})".format(row["share"], *row["interval"])
        between = "" if row["difference_interval"] is None else "{:+.3f} to {:+.3f}".format(*row["difference_interval"])
        lines.append(
            f"{row['group']:<12}{row['prompts']:>8}{row['solved']:>8}   {share:<18}"
            f"{show(row['by_luck'], 'small'):>8}{show(row['repeat'], 'small'):>8}   {between}"
        )
    for row in numbers["pass_rates"]:
        if row["number"] and row["pass_rate"] is not None:
            lines.append(
                f"mean pass@1, {row['group']}, {numbers['runs'][row['number']]}: {row['pass_rate']:.3f}, "
                f"{_difference(row)} to the run before ({counted(row['prompts'], 'prompt')})"
            )
    if numbers["pass_rates"]:
        lines.append("(its own samples chose the groups of the run before: a part of these differences is luck)")
    if numbers.get("to_repeats") and len(numbers["runs"]) == 3:
        lines.append("(less one repeated run: intervals over prompts; how much seeds differ is not known)")
    for row in numbers.get("to_repeats", ()):
        lines.append(
            f"mean pass@1, {row['group']}, {numbers['runs'][1]} less the repeated: {_difference(row)} "
            f"({counted(row['prompts'], 'prompt')})"
        )
    for name, rows in numbers["cosines"].items():
        first, second = ("plain", "hinted") if name.endswith(HINTED) else ("before", "after")
        lines += [
            f"corrected cosine, probe {name.removesuffix(HINTED)}, {row['group']}: {row['before']:.3f} {first}, "
            f"{row['after']:.3f} {second}, {_difference(row)} ({counted(row['prompts'], 'prompt')})"
            for row in rows
        ]
    for row in numbers["spent"]:
        hours = f", {show(row['hours'], 'hours')}" if row["hours"] is not None else ""
        known = f"{row['rollouts']:,} rollouts in {counted(row['steps'], 'step')}{hours}"
        lines.append(f"{row['run']}: {known if row['steps'] else 'rollouts are not known, it has no rewards/'}")
    return "\n".join([*lines, "", *sentences])
