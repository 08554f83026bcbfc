"""What a remedy did: of the prompts that one run did not learn, how many another run solves afterwards, without hints.

Groups are those of the run before. The prompts that it did not learn were chosen by its own samples, and some are found
solved in any later run by luck. Two nulls say how many:

- *luck*: new samples of the very model that the first run ended with, given all its counts (the posterior of
  labels/posterior.py): what a second evaluation would find;
- *repeat*: runs that differ from the first by their seeds alone, if there are any. One is one draw of how much two
  trainings differ. The interval is over prompts as if they were independent; prompts of a skill are learned together,
  by one seed and not by another, so it is too short for the difference between trainings, and the sentence speaks of
  this one run. From two on, the interval is that of what another seed would give, by how much these differ.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

import numpy as np

from openrlhf_unlearn.report.numbers import Say, Sentence
from openrlhf_unlearn.stats.means import another, mean_interval, wilson
from openrlhf_unlearn.stats.paired import paired_difference
from openrlhf_unlearn.store.summary import Summary

NOT_LEARNED = ("no_reward", "unlearnable")
COMPARED = (*NOT_LEARNED, "mixed", "learnable", "easy")
UNLIKELY = 0.025  # chance of as many by luck from which luck does not explain them
MISFIT = 1.5  # times as often as the fitted chances say: with 8 samples a third more are found solved than these expect


@dataclass(frozen=True)
class Solved:
    """One group of the run before, by the final samples of the run after: solved is pass@1 of at least tau."""

    group: str
    prompts: int
    solved: int
    share: float
    interval: list[float]
    by_luck: float | None  # expected number; None where samples were adaptive
    luck_p: float | None  # chance of as many or more by luck, at MISFIT times the expected
    repeat: float | None  # solved in the repeated run, of the prompts that both evaluated; of several runs the mean
    difference: float | None  # share after less share in the repeated run
    difference_interval: list[float] | None  # paired by prompt; of several repeated runs, by what another would give
    repeat_prompts: int | None = None  # that all of these evaluated; None also in rows of an earlier version
    repeats: list[int] = field(default_factory=list)  # solved in each repeated run; of an earlier version none
    not_evaluated: int = 0  # prompts of the group that the run after has not evaluated


class Remedy(TypedDict):
    """What the report's summary keeps of the last `compare` with this run as the one after. runs: before, after and any
    that were repeated; cosines: probe → rows of `cosine_rows`."""

    runs: list[str]
    tau: float
    solved: list[dict[str, Any]]
    cosines: dict[str, list[dict[str, Any]]]
    spent: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]


def recorded(summary: Summary) -> tuple[Remedy | None, list[Say]]:
    """The last comparison and its sentences; None and no sentence where nothing was compared."""
    known = summary.compare
    if not known:
        return None, []
    said = verdicts([Solved(**row) for row in known["solved"]])
    runs, tau, solved = known["runs"], known["tau"], known["solved"]
    kept = {"runs": runs, "tau": tau, "solved": solved, "cosines": known["cosines"], "spent": known["spent"]}
    return Remedy(**kept, verdicts=[sentence.as_dict() for sentence in said]), said


def solved_rows(
    groups: np.ndarray, after: np.ndarray, luck: np.ndarray | None, repeats: Sequence[np.ndarray], tau: float
) -> list[Solved]:
    """A row for each group of COMPARED that the run after evaluated.

    All (prompts,): `groups`; pass rates of the run `after` and of the `repeats`, nan where not evaluated; `luck`:
    P(found solved) for new samples of the run before.
    """
    rows = []
    for group in COMPARED:
        mine = (groups == group) & np.isfinite(after)
        n, solved = int(mine.sum()), after[mine] >= tau
        if not n:
            continue
        number = int(solved.sum())
        found: dict[str, Any] = dict.fromkeys(("by_luck", "luck_p", "repeat", "difference", "difference_interval"))
        if luck is not None:
            found |= {"by_luck": float(luck[mine].sum())}
            found |= {"luck_p": at_least(np.minimum(1, MISFIT * luck[mine]), number)}
        if len(repeats) and (both := np.isfinite([rates[mine] for rates in repeats]).all(axis=0)).any():
            found |= _repeated(solved[both], np.array([rates[mine][both] >= tau for rates in repeats]))
        found["not_evaluated"] = int((groups == group).sum()) - n
        rows.append(Solved(group, n, number, number / n, list(wilson(number / n, n) or (0.0, 1.0)), **found))
    return rows


def _repeated(solved: np.ndarray, again: np.ndarray) -> dict[str, Any]:
    """The fields of a row on repeated runs. solved: (prompts,), again: (runs, prompts) of bool."""
    counts, n = again.sum(axis=1), len(solved)
    found = {"repeats": counts.tolist(), "repeat": float(counts.mean()), "repeat_prompts": n}
    if len(counts) == 1:
        difference, interval = paired_difference(solved, again[0])
        return found | {"repeat": int(counts[0]), "difference": difference, "difference_interval": interval}
    low, high = ((solved.sum() - count) / n for count in reversed(another(counts, n)))
    return found | {"difference": float(solved.mean() - again.mean()), "difference_interval": [float(low), float(high)]}


def at_least(chances: np.ndarray, number: int) -> float:
    """P(at least `number` of independent events with these chances), (events,)."""
    counts = np.ones(1)
    for chance in chances:
        counts = np.convolve(counts, [1 - chance, chance])
    return float(np.clip(counts[number:].sum(), 0, 1))


def cosine_rows(groups: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[dict[str, Any]]:
    """Noise-corrected mean cosines of the same prompts in two probes, (prompts,), nan where one cannot say."""
    rows = []
    for group in COMPARED:
        mine = (groups == group) & np.isfinite(before) & np.isfinite(after)
        if mine.any():
            difference, interval = mean_interval((after - before)[mine])
            means = {"before": float(before[mine].mean()), "after": float(after[mine].mean())}
            rows.append({"group": group, "prompts": int(mine.sum()), **means, "difference": difference})
            rows[-1]["difference_interval"] = interval
    return rows


def verdicts(rows: list[Solved]) -> list[Say]:
    """One sentence a group that was not learned, and one on the learnable that were lost."""
    return [
        Say(*_verdict(row), f"remedy.verdicts.{i}")
        for i, row in enumerate(row for row in rows if row.group in (*NOT_LEARNED, "learnable"))
    ]


def _verdict(row: Solved) -> Sentence:
    numbers: dict[str, Any] = {"prompts": row.prompts, "solved": row.solved}
    name = "{prompts:prompt that was|prompts that were} never rewarded in"
    name = name if row.group == "no_reward" else row.group + " {prompts:prompt|prompts} of"
    text = "Of {prompts:count} " + name + " the run before the run after solves {solved:count}"
    if row.group == "learnable":
        numbers = {"prompts": row.prompts, "lost": row.prompts - row.solved}
        text = "Of {prompts:count} learnable {prompts:prompt|prompts} of the run before the run after lost {lost:count}"
    if row.not_evaluated:
        numbers["not_evaluated"] = row.not_evaluated
        text += " ({not_evaluated:count} more it has not evaluated)"
    if row.by_luck is not None:
        numbers["luck"] = row.prompts - row.by_luck if row.group == "learnable" else row.by_luck
        text += ", where a second evaluation of the run before would find about {luck:small}"
    return text + "; " + _against(row, numbers) + ".", numbers


def _against(row: Solved, numbers: dict[str, Any]) -> str:
    """What the nulls allow to say."""
    if row.repeat is None:
        if row.group == "learnable" or row.luck_p is None or row.luck_p >= UNLIKELY:
            return "without a repeated run (--repeat) nothing more can be said"
        return "luck in sampling does not explain it, another seed may (--repeat tells)"
    lost, both, several = row.group == "learnable", row.repeat_prompts or row.prompts, len(row.repeats) > 1
    counts = [both - count if lost else count for count in row.repeats or [row.repeat]]
    numbers |= {"repeat": counts[0], "least": min(counts), "most": max(counts), "repeats": len(counts)}
    text = "a repeated run {repeat:count}"
    if several:
        spread = "{least:count} each" if min(counts) == max(counts) else "{least:count} to {most:count}"
        text = "{repeats:count} repeated runs " + spread
    if both < row.prompts:
        numbers["both"] = both
        text += " of {both:count} that " + ("all" if several else "it") + " evaluated"
    if row.difference is None or row.difference_interval is None:  # of an earlier version, where it could not be told
        return text
    difference, (low, high) = row.difference, row.difference_interval
    if lost:
        difference, low, high = (0.0 - value for value in (difference, high, low))  # never a zero with a minus
    numbers |= {"difference": difference, "low": low, "high": high}
    text += f", a difference in the share {'lost' if lost else 'solved'} of {{difference:signed}} "
    text += "({low:signed} to {high:signed}" + (" for another seed)" if several else ")")
    if low <= 0 <= high:
        return text + ": no difference is shown, the interval includes zero"
    if several:
        return text + f": {'more' if low > 0 else 'fewer'}{' lost' if lost else ''} than another seed gives"
    text += f": {'more' if low > 0 else 'fewer'}{' lost' if lost else ''} than in this one repeated run"
    return text + "; how much seeds differ is not known"


def as_numbers(rows: list[Solved]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
