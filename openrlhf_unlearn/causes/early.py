"""While training runs: how likely is each prompt not to be learned by the end?

A logistic regression on a prompt's own history, in which each visit counts less than the next (collect/history.py): the
discounted pass rate now, how far it lies above a slower average of itself (rising or falling), how many visits there
were, whether it was ever rewarded; what share of training is done; and, where its kin by wording is known (kin.py), the
same rate of these: a prompt whose kin was not learned yet may still be, one that stayed behind it will hardly be. The
weights, with kin and without, are fitted by benchmarks/early_warning.py on simulated runs, and worlds 0 to 2 where they
are there, and kept in early.json. Null: a prompt that was never visited has no probability.
"""

import json
import math
from functools import cache
from pathlib import Path

import numpy as np

from openrlhf_unlearn.collect.history import History

ALONE = ("log odds of the rate", "its rise", "log visits", "never rewarded", "share done", "share done x log odds")
OF_KIN = (
    "rate of kin", "rate of kin x own rate", "share done x rate of kin", "rise of kin", "log odds of kin",
    "share done x log odds of kin", "log odds of kin x own",
)  # fmt: skip
FILE = Path(__file__).with_name("early.json")


def own_features(history: History, done: float) -> list[float]:
    """In the order of ALONE; done: share of training that is over."""
    odds = math.log(history.rate / (1 - history.rate))
    rise = odds - math.log(history.slow_rate / (1 - history.slow_rate))
    return [odds, rise, math.log1p(history.visits), float(not history.rewarded), done, done * odds]


def features(histories: list[History], done: float, near: list[np.ndarray] | None = None) -> np.ndarray:
    """(prompts, features) of each history, or with `near`, the rows of each one's kin, those of OF_KIN too.

    Without any kin its own rate stands in for theirs.
    """
    done = min(max(done, 0.0), 1.0)
    own = np.array([own_features(history, done) for history in histories]).reshape(-1, len(ALONE))
    if near is None:
        return own
    rate, slow = (np.array([getattr(history, name) for history in histories]) for name in ("rate", "slow_rate"))
    mine = [
        (rate[rows].mean(), (rate - slow)[rows].mean()) if len(rows) else (rate[i], 0.0) for i, rows in enumerate(near)
    ]
    (of_kin, rise), own = np.array(mine).reshape(-1, 2).T, own[: len(near)]
    odds = np.log(of_kin / (1 - of_kin))
    in_all = [of_kin, of_kin * rate[: len(near)], done * of_kin, rise, odds, done * odds, odds * own[:, 0]]
    return np.column_stack([own, *in_all])


@cache
def weights(kin: bool) -> np.ndarray:
    """The fitted weights, the constant first, (1 + features,)."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))["with kin" if kin else "alone"]
    return np.array([kept["constant"], *(kept[name] for name in (ALONE + OF_KIN if kin else ALONE))])


def not_learned(histories: list[History], done: float, near: list[np.ndarray] | None = None) -> np.ndarray:
    """P(not learned by the end) of each, (prompts,), nan for a prompt that was never visited.

    near: of each history the rows of its kin among all of them, where that is known.
    """
    if not histories:
        return np.zeros(0)
    p = chance(features(histories, done, near))
    return np.where([history.visits > 0 for history in histories], p, np.nan)


def chance(x: np.ndarray) -> np.ndarray:
    """P(not learned by the end) by (prompts, features), those of kin among them or not."""
    mine = weights(x.shape[1] > len(ALONE))
    return 1 / (1 + np.exp(-(mine[0] + x @ mine[1:])))


def by_group(probability: np.ndarray, groups: np.ndarray) -> dict[str, dict[str, float]]:
    """group → prompts, their mean probability (the share expected not to be learned) and how many are 95 % sure."""
    table = {}
    for group in dict.fromkeys(groups.tolist()):
        mine = probability[(groups == group) & np.isfinite(probability)]
        if len(mine):
            table[group] = {"prompts": len(mine), "expected": float(mine.mean()), "sure": int((mine >= 0.95).sum())}
    return table
