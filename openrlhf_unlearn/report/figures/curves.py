"""Mean rewards of groups over training steps: the numbers behind every reward curve."""

import numpy as np

from openrlhf_unlearn.report.figures.marks import group_mean
from openrlhf_unlearn.store.run_dir import GROUPS

POINTS = 40  # windows of steps that a curve is drawn with, at most


def windows(steps: np.ndarray) -> np.ndarray:
    """The window of each visit, (visits,): one a step, or of several steps where a run has many."""
    distinct = np.unique(steps)
    width = max(1, int(np.ceil(len(distinct) / POINTS)))
    return np.searchsorted(distinct, steps) // width


def reward_curves(visits, groups: np.ndarray) -> list[dict]:
    """A row for each group and window: mean reward as sampled over the prompts visited, with its 95 % interval.

    groups: (prompts,) of str. A prompt that is visited more than once in a window counts once, with its mean.
    """
    if not len(visits.step):
        return []
    window, found, rows = windows(visits.step), groups[visits.row], []
    known = np.isfinite(visits.mean_reward)
    rates = bool(((visits.mean_reward[known] >= 0) & (visits.mean_reward[known] <= 1)).all())
    for group in dict.fromkeys((*GROUPS, *np.unique(groups.astype(str)))):
        mine = (found == group) & known & (group != "")
        for number in np.unique(window[mine]):
            here = mine & (window == number)
            _, place = np.unique(visits.row[here], return_inverse=True)
            told = group_mean(np.bincount(place, weights=visits.mean_reward[here]) / np.bincount(place), rates)
            about = {"group": group, "step": float(visits.step[here].mean()), "visits": int(here.sum())}
            rows.append(about | {"mean_reward": told["mean"], "low": told["low"], "high": told["high"]})
    return rows


def plot_band(axes, x, mean, low, high, colour: str, label: str | None, dashes: str = "-") -> None:
    mark = "o" if len(x) < 2 else None  # a line of one point would not be seen
    axes.plot(x, mean, dashes, color=colour, label=label, linewidth=1.7, marker=mark, markersize=4)
    low, high = (np.array(bound, dtype=float) for bound in (low, high))  # None, where there is no interval, as nan
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)


def reward_axis(axes, highest: float) -> None:
    axes.set_xlabel("training step")
    axes.set_ylabel("mean reward (share correct)")
    if highest <= 1:
        axes.set_ylim(-0.02, 1.02)
