"""What the labels depend on: thresholds, number of samples, and which runs happened to be made."""

from itertools import combinations
from typing import Any

import numpy as np

from openrlhf_unlearn.labels.counts import Counts
from openrlhf_unlearn.labels.groups import CODE, Thresholds, no_reward, paper_groups, rate
from openrlhf_unlearn.stats.agreement import fleiss_kappa

TAUS = (0.03, 0.05, 0.1, 0.15, 0.2, 0.3)
EASY = (0.05, 0.1, 0.15, 0.2)
_HARD = ("learnable", "unlearnable", "no_reward", "mixed")


def group_shares(group: np.ndarray) -> dict[str, Any]:
    """How many prompts are hard, and the shares of the hard ones, as in the paper's Table 1."""
    counts = {name: int(np.count_nonzero(group == CODE[name])) for name in _HARD}
    hard = sum(counts.values())
    return {"hard": hard, **{name: counts[name] / hard if hard else None for name in _HARD}}


def _shares_at(counts: Counts, at: Thresholds, n: int | None = None) -> dict:
    n_initial, c_initial = counts.initial_counts(n)
    n_final, c_final = counts.final_counts(n)
    complete = (n_initial > 0) & (n_final > 0).all(axis=0)
    group = paper_groups(rate(n_initial, c_initial), rate(n_final, c_final), no_reward(counts), counts.bad_label, at)
    return group_shares(group[complete])


def sensitivity(counts: Counts, at: Thresholds) -> list[dict]:
    """One row for each value that tau, the easy threshold or N takes while the others stay as they are."""
    rows = [{"varied": "tau", "value": t, **_shares_at(counts, Thresholds(t, at.easy))} for t in TAUS]
    rows += [{"varied": "easy", "value": e, **_shares_at(counts, Thresholds(at.tau, e))} for e in EASY]
    if not counts.adaptive:  # adaptive samples are not a fixed-size sample at any N
        most = int(min(e.n.max() for e in counts.initial + counts.final))
        sizes = [n for n in (4, 8, 16, 32, 64, 128) if n < most] + [most]
        rows += [{"varied": "n", "value": n, **_shares_at(counts, at, n)} for n in sizes]
    return rows


def labels_of_runs(counts: Counts, at: Thresholds) -> np.ndarray:
    """What every run alone would say, (runs, prompts) of group numbers, with the initial evaluation shared."""
    n_initial, c_initial = counts.initial_counts()
    n_final, c_final = counts.final_counts()
    initial, final, never = rate(n_initial, c_initial), rate(n_final, c_final), no_reward(counts)
    return np.stack(
        [
            paper_groups(initial, final[r : r + 1], never[r : r + 1], counts.bad_label, at)
            for r in range(len(counts.final))
        ]
    )


def runs_agreement(counts: Counts, at: Thresholds) -> dict:
    """Fleiss' kappa of the runs over the hard prompts, and the shares that one, two, … of the runs would have given."""
    labels = labels_of_runs(counts, at)
    hard = ~np.isin(labels[0], (CODE["easy"], CODE["ungradable"]))
    runs = len(labels)
    n_initial, c_initial = counts.initial_counts()
    n_final, c_final = counts.final_counts()
    initial, final, never = rate(n_initial, c_initial), rate(n_final, c_final), no_reward(counts)
    by_number = []
    for size in range(1, runs + 1):
        several = [
            group_shares(paper_groups(initial, final[list(chosen)], never[list(chosen)], counts.bad_label, at))
            for chosen in combinations(range(runs), size)
        ]
        row = {"runs": size, "choices": len(several), "hard": several[0]["hard"]}
        for name in _HARD:
            shares = [shares[name] for shares in several if shares[name] is not None]
            row[name] = float(np.mean(shares)) if shares else None
            row[f"{name}_range"] = [min(shares), max(shares)] if shares else None
        by_number.append(row)
    hard_labels = labels[:, hard]
    same = float((hard_labels == hard_labels[0]).all(axis=0).mean()) if runs > 1 and hard.any() else None
    return {"fleiss_kappa": fleiss_kappa(hard_labels), "all_runs_agree": same, "by_number_of_runs": by_number}
