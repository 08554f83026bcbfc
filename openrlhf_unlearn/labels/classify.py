"""`openrlhf-unlearn classify RUN [RUN ...]`: label every prompt, and say how sure that is.

    openrlhf-unlearn classify runs/seed0 runs/seed1 runs/seed2
    openrlhf-unlearn classify runs/seed0 --tau 0.2 --rule paper-code

easy         initial pass@1 from --easy on; all others are hard
learnable    hard, and final pass@1 from --tau on in every run, whether or not a positive was sampled in training
unlearnable  hard, and final pass@1 below --tau in every run
no_reward    as unlearnable, and some run's training visited it and never sampled a positive
mixed        hard, and the runs disagree
ungradable   its label cannot be graded

Needs evaluations/initial.parquet in one of the runs and evaluations/final.parquet in each (evaluate, import). Writes
the same learnability.parquet into every RUN, with the probability of each label, and under "classify" in summary.json
the shares of the hard prompts, their sensitivity to tau, easy threshold and samples, and the agreement of the runs.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.labels.counts import Counts, read_counts
from openrlhf_unlearn.labels.groups import (
    CODE,
    RULES,
    Thresholds,
    no_reward,
    paper_code_groups,
    paper_code_sets,
    paper_groups,
    rate,
    visited,
)
from openrlhf_unlearn.labels.posterior import DELTA, SURE, Posterior
from openrlhf_unlearn.labels.sensitivity import group_shares, labels_of_runs, runs_agreement, sensitivity
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.stats.means import wilson
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.prompts import GROUPS, Learnability
from openrlhf_unlearn.store.run_dir import RunDir, update_summary
from openrlhf_unlearn.store.summary import Summary


@dataclass(frozen=True)
class ClassifyOptions(Options):
    """Which runs, and where the groups part."""

    runs: Sequence[str] = option(
        "run directories of one data set and one initial model", positional=True, metavar="RUN"
    )
    tau: float = option("final pass@1 below which a hard prompt is unlearnable", 0.1)
    easy: float = option("initial pass@1 from which a prompt is easy", 0.1)
    rule: str = option("the paper's text, or its code where that differs", "paper", choices=RULES)
    initial: str = option("evaluation before training", "initial", metavar="TAG")
    final: str = option("evaluation after training", "final", metavar="TAG")
    threshold: float | None = option(
        "reward above which a sample is positive; needed if rewards are not binary and the run does not say. It is "
        "kept: from then on every command counts the runs' evaluations by it",
        None,
    )
    allow_uneven: bool = option("accept uneven sample counts; prompts without samples are left out", False)

    def check(self) -> None:
        for name in ("tau", "easy"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"--{name} {getattr(self, name)}: a pass rate above 0 and at most 1")


OPTIONS = ClassifyOptions


def run(options: ClassifyOptions) -> None:
    result = classify(options)
    save(result, options.runs)
    print(report(result.summary))
    print(f"written: {', '.join(str(RunDir(path).learnability) for path in options.runs)}")


@dataclass(frozen=True)
class Classification:
    """`table`: one row a prompt, the columns of `Learnability` first; `summary`: what summary.json keeps."""

    table: pa.Table
    summary: dict


@takes(ClassifyOptions)
def classify(options: ClassifyOptions) -> Classification:
    """Label every prompt of the runs; reads files and writes none. Raises UserError for runs that cannot be used."""
    tau, easy, rule = options.tau, options.easy, options.rule
    at = Thresholds(tau, easy)
    runs = [RunDir.open(path) for path in options.runs]
    counts = read_counts(runs, options.initial, options.final, options.threshold, options.allow_uneven)
    n_initial, c_initial = counts.initial_counts()
    n_final, c_final = counts.final_counts()
    complete = (n_initial > 0) & (n_final > 0).all(axis=0)
    if not complete.any():
        raise UserError("no prompt has samples in every evaluation; evaluate the same data before and after training")
    never = no_reward(counts)
    if rule == "paper-code":
        sets = paper_code_sets(counts, tau)
        group = paper_code_groups(sets)
        kept = complete | np.any(list(sets.values()), axis=0)
    else:
        sets = {}
        group = paper_groups(rate(n_initial, c_initial), rate(n_final, c_final), never, counts.bad_label, at)
        kept = complete
    posterior = Posterior((n_initial, c_initial), (n_final, c_final))
    chances = posterior.groups(tau, easy)
    improved, confidence = posterior.improved(), _confidence(group, chances)
    initial_low, initial_high = posterior.initial_interval()
    final_low, final_high = posterior.final_interval()
    labels = labels_of_runs(counts, at)
    columns = Learnability.of(
        prompt_id=counts.prompt_ids,
        group=np.array(GROUPS)[group],
        initial_pass_rate=counts.initial_rate(),
        final_pass_rate=counts.final_rate(),
        ever_positive=_ever_positive(counts, never),
        runs_visited=visited(counts).sum(axis=0),
        runs_rewarded=(visited(counts) & ~never).sum(axis=0),
        p_below_tau=posterior.final_below(tau),
        p_improved=improved,
        label_confidence=confidence,
        p_easy=chances["easy"],
        p_unlearnable=chances["unlearnable"],
        p_learnable=chances["learnable"],
        p_mixed=chances["mixed"],
        initial_low=initial_low,
        initial_high=initial_high,
        final_low=final_low,
        final_high=final_high,
        n_initial=n_initial,
        n_final=n_final.sum(axis=0),
        run_agreement=_agreement(labels),
    )
    for number, (evaluation, label) in enumerate(zip(counts.final, labels, strict=True)):
        columns = columns.with_run(number, evaluation.rate, np.array(GROUPS)[label])
    table = columns.with_paper_code(sets).filter(kept).arrow
    hard = kept & ~np.isin(group, (CODE["easy"], CODE["ungradable"]))
    by_chance = posterior.learned_by_chance(tau, [evaluation.size for evaluation in counts.final])
    summary = {
        "runs": [str(path) for path in options.runs],
        "rule": rule,
        "tau": tau,
        "easy": easy,
        "threshold": counts.threshold,
        "notes": counts.notes,
        "adaptive": counts.adaptive,
        "prompts": int(kept.sum()),
        "left_out": int((~kept).sum()),
        "samples": {"initial": int(np.median(n_initial)), "final": int(np.median(n_final))},
        "groups": {name: int(np.count_nonzero(group[kept] == CODE[name])) for name in GROUPS},
        "hard": _hard_shares(
            group[kept], np.asarray(never[:, kept].any(axis=0)), {n: chance[kept] for n, chance in chances.items()}
        ),
        "learnable_means": f"final pass@1 of at least {tau:g} in every run, by the samples",
        "improved_by": DELTA,
        "expected_improved": float(improved[hard].sum()),
        "learnable_by_chance": float(by_chance[hard].sum()),
        "unlearnable_not_visited": int((kept & (group == CODE["unlearnable"]) & ~visited(counts).any(axis=0)).sum()),
        "learned_without_reward": _learned_without_reward(counts, group, kept, improved),
        "expected_label_errors": float(np.nansum(1 - confidence[kept])),
        "sensitivity": sensitivity(counts, at),
        "agreement": runs_agreement(counts, at),
    }
    return Classification(table, summary)


def _ever_positive(counts: Counts, never: np.ndarray) -> pa.Array:
    """Positive at least once in every run that visited the prompt; null where none did."""
    visited = np.any([t.visits > 0 for t in counts.training], axis=0)
    return pa.array(~never.any(axis=0), mask=~visited)


def _confidence(group: np.ndarray, chances: dict[str, np.ndarray]) -> np.ndarray:
    """P(the label is what the true pass rates would give), nan for `ungradable`.

    That no positive was ever sampled in training is a fact, so `no_reward` is as sure as that it was not learned.
    """
    confidence = np.full(len(group), np.nan)
    for name, chance in chances.items():
        confidence[group == CODE[name]] = chance[group == CODE[name]]
    never = group == CODE["no_reward"]
    confidence[never] = chances["unlearnable"][never]
    return confidence


def _agreement(labels: np.ndarray) -> np.ndarray:
    """(prompts,): share of the runs that say what most of them say. labels: (runs, prompts)."""
    votes = np.stack([(labels == number).sum(axis=0) for number in range(len(GROUPS))])
    return votes.max(axis=0) / len(labels)


def _learned_without_reward(
    counts: Counts, group: np.ndarray, kept: np.ndarray, improved: np.ndarray
) -> dict[str, int]:
    """Learnable prompts of which some run that trained never sampled a positive (`visited`) or nothing at all
    (`not_visited`). Luck labels some so; the `improved` are SURE to have risen in every run, these among them: by what
    training did elsewhere. improved: (prompts,) P(risen in a run), mean over the runs.
    """
    learned, seen = kept & (group == CODE["learnable"]), visited(counts)
    trained = seen.any(axis=1, keepdims=True)
    never, unseen = no_reward(counts).any(axis=0), (trained & ~seen).any(axis=0)
    in_every_run = 1 - len(seen) * (1 - improved)  # at least so probable
    these = never | unseen
    kinds = {"prompts": these, "visited": never, "not_visited": unseen, "improved": these & (in_every_run >= SURE)}
    return {name: int((learned & these).sum()) for name, these in kinds.items()}


def _hard_shares(group: np.ndarray, never: np.ndarray, chances: dict[str, np.ndarray]) -> dict:
    """Table 1: the shares of the hard prompts, with the interval over prompts and what the posteriors expect.

    never: (prompts,) some run visited it and never sampled a positive, which tells `no_reward` from `unlearnable`.
    """
    shares = group_shares(group)
    hard = shares.pop("hard")
    gradable = group != CODE["ungradable"]
    expected_hard = float((1 - chances["easy"])[gradable].sum())
    of = {"learnable": gradable, "unlearnable": gradable & ~never, "no_reward": gradable & never, "mixed": gradable}
    rows: dict[str, Any] = {"n": hard}
    for name, share in shares.items():
        expected = float(chances["unlearnable" if name == "no_reward" else name][of[name]].sum())
        rows[name] = {
            "share": share,
            "interval": wilson(share, hard),
            "expected_share": expected / expected_hard if expected_hard else None,
        }
    return rows


def save(result: Classification, runs: Sequence[str | Path]) -> None:
    """Write learnability.parquet and the summary's "classify" into every run."""
    with ExitStack() as locks:  # in one order, so that two commands never wait for each other
        for run in sorted(map(RunDir, runs), key=str):
            locks.enter_context(hold(run.learnability, "classify", wait_s=SHORT_S))
        for path in runs:  # a summary that cannot be read must stop this before any run is changed
            Summary.read(RunDir(path))
        for path in runs:
            Learnability(result.table).write(RunDir(path))
            update_summary(RunDir(path), "classify", result.summary)


def report(summary: dict) -> str:
    """The summary as the table that the command prints."""
    groups, hard = summary["groups"], summary["hard"]
    lines = [
        f"{counted(summary['prompts'], 'prompt')}, {counted(len(summary['runs']), 'run')}, rule {summary['rule']}, "
        f"tau {summary['tau']}, easy from {summary['easy']}; easy {groups['easy']}, hard {hard['n']}, "
        f"ungradable {groups['ungradable']}",
        f"{'group':<14}{'prompts':>8}{'of hard':>9}   {'95 % interval':<15}{'expected':>9}",
    ]
    for name in ("learnable", "unlearnable", "no_reward", "mixed"):
        row = hard[name]
        if row["share"] is None:
            continue
        low, high = row["interval"]
        lines.append(
            f"{name:<14}{groups[name]:>8}{row['share']:>9.1%}   {f'{low:.1%} - {high:.1%}':<15}"
            f"{row['expected_share']:>9.1%}"
        )
    lines.append(f"labels that true pass rates would change: about {summary['expected_label_errors']:.1f}")
    if hard["n"]:
        lines += [
            f"had no pass rate changed, luck alone would label {summary['learnable_by_chance']:.1f} of the {hard['n']} "
            f"hard prompts learnable; pass rates rose by more than {summary['improved_by']:g} in about "
            f"{summary['expected_improved']:.1f}"
        ]
    lines += _transfer(summary["learned_without_reward"])
    kappa = summary["agreement"]["fleiss_kappa"]
    if kappa is not None:
        same = summary["agreement"]["all_runs_agree"]
        lines.append(f"runs agree on {same:.1%} of the hard prompts (Fleiss' kappa {kappa:.2f})")
        for row in summary["agreement"]["by_number_of_runs"]:
            shares = ", ".join(f"{name} {row[name]:.1%}" for name in ("learnable", "unlearnable", "no_reward", "mixed"))
            lines.append(f"  {counted(row['runs'], 'run')}: {shares}")
    lines.append("sensitivity (shares of the hard prompts):")
    for row in summary["sensitivity"]:
        if not row["hard"]:
            continue
        shares = "  ".join(f"{name} {row[name]:6.1%}" for name in ("learnable", "unlearnable", "no_reward", "mixed"))
        lines.append(f"  {row['varied']:<5}{row['value']:<6g}hard {row['hard']:<6} {shares}")
    if summary["left_out"]:
        lines.append(f"left out for lack of samples in some evaluation: {counted(summary['left_out'], 'prompt')}")
    lines += [f"note: {note}" for note in summary["notes"]]
    return "\n".join(lines)


def _transfer(learned: dict[str, int]) -> list[str]:
    """Lines on what was learned although some run never rewarded it; none where nothing was."""
    if not learned["prompts"]:
        return []
    return [
        f"learnable though some run never sampled a positive of them: {learned['visited']}; never sampled them at all: "
        f"{learned['not_visited']}; of both, surely improved in every run (P >= {SURE:g}), so by transfer: "
        f"{learned['improved']}"
    ]
