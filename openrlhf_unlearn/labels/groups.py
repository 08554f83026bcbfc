"""The rules that give every prompt its group: the paper's text, and the paper's code where it differs.

| | paper (section 3) | paper-code (finalize_unlearnable_example_id.py) |
| --- | --- | --- |
| easy | initial pass@1 >= 0.1 | initial pass@1 > tau |
| unlearnable | hard and final pass@1 < tau in every run | final pass@1 <= tau in every run, easy or not |
| learnable | hard and final pass@1 >= tau in every run, rewarded in training or not | hard and > tau in every run |
| no_reward | unlearnable, and some run visited it without a positive | the same by replayed rollouts too, easy or not |
| prompt missing in an evaluation | refused, or left out | counts as not flagged there |
| `ungradable` | kept apart | does not exist |
"""

from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.labels.counts import Counts
from openrlhf_unlearn.store.run_dir import GROUPS

RULES = ("paper", "paper-code")
CODE = {group: number for number, group in enumerate(GROUPS)}


@dataclass(frozen=True)
class Thresholds:
    tau: float = 0.1
    easy: float = 0.1


def rate(n: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Pass rates, nan where there are no samples."""
    return np.divide(positive, n, out=np.full(np.shape(n), np.nan), where=n > 0)


def visited(counts: Counts) -> np.ndarray:
    """(runs, prompts): sampled at least once in that run's training."""
    return np.stack([t.visits > 0 for t in counts.training])


def no_reward(counts: Counts) -> np.ndarray:
    """(runs, prompts): visited in that run's training, and never a positive rollout."""
    return visited(counts) & np.stack([t.positives == 0 for t in counts.training])


def paper_groups(
    initial: np.ndarray, final: np.ndarray, never: np.ndarray, bad_label: np.ndarray, at: Thresholds
) -> np.ndarray:
    """Group numbers (indices into GROUPS), (prompts,), by the paper's text.

    initial: (prompts,) pass rates; final: (runs, prompts); never: (runs, prompts) no positive in training.
    """
    group = np.full(initial.shape, CODE["mixed"])
    group[(final >= at.tau).all(axis=0)] = CODE["learnable"]
    low = (final < at.tau).all(axis=0)
    group[low] = CODE["unlearnable"]
    group[low & never.any(axis=0)] = CODE["no_reward"]
    group[initial >= at.easy] = CODE["easy"]
    group[bad_label] = CODE["ungradable"]
    return group


def paper_code_sets(counts: Counts, tau: float) -> dict[str, np.ndarray]:
    """The four sets of the paper's code, (prompts,) of bool each; they may overlap, and a prompt may be in none."""
    n_initial, c_initial = counts.initial_counts()
    n_final, c_final = counts.final_counts()
    flagged = (n_final > 0) & (rate(n_final, c_final) <= tau)
    initial = rate(n_initial, c_initial)
    never = np.any([t.logged & ~t.rewarded for t in counts.training], axis=0)
    return {
        "unlearnable": flagged.all(axis=0) & ~never,
        "learnable": (initial <= tau) & ~flagged.any(axis=0),
        "no_reward": never,
        "easy": initial > tau,
    }


def paper_code_groups(sets: dict[str, np.ndarray]) -> np.ndarray:
    """One group a prompt where the code's sets overlap: easy before no_reward before the others; none: mixed."""
    group = np.full(sets["easy"].shape, CODE["mixed"])
    for name in ("unlearnable", "learnable", "no_reward", "easy"):
        group[sets[name]] = CODE[name]
    return group
