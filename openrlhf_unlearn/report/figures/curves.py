"""Mean rewards of groups over training steps: the numbers behind every reward curve."""

import numpy as np

from openrlhf_unlearn.report.statistics import Z
from openrlhf_unlearn.run_dir import GROUPS

POINTS = 40  # windows of steps that a curve is drawn with, at most


def windows(steps: np.ndarray) -> np.ndarray:
    """The window of each visit, (visits,): one a step, or of several steps where a run has many."""
    distinct = np.unique(steps)
    width = max(1, int(np.ceil(len(distinct) / POINTS)))
    return np.searchsorted(distinct, steps) // width


def reward_curves(visits, groups: np.ndarray) -> list[dict]:
    """A row for each group and window: mean reward as sampled over the prompts visited, with its 95 % interval.

    groups: (prompts,) of str.
    """
    if not len(visits.step):
        return []
    window, found, rows = windows(visits.step), groups[visits.row], []
    for group in GROUPS:
        mine = (found == group) & np.isfinite(visits.mean_reward)
        n = np.bincount(window[mine])
        total = np.bincount(window[mine], weights=visits.mean_reward[mine])
        squares = np.bincount(window[mine], weights=visits.mean_reward[mine] ** 2)
        step = np.bincount(window[mine], weights=visits.step[mine])
        for i in np.flatnonzero(n):
            mean = total[i] / n[i]
            variance = max(0.0, squares[i] / n[i] - mean**2) * n[i] / max(1, n[i] - 1)
            half = Z * np.sqrt(variance / n[i])
            rows.append(
                {
                    "group": group,
                    "step": float(step[i] / n[i]),
                    "visits": int(n[i]),
                    "mean_reward": float(mean),
                    "low": float(max(0.0, mean - half)),
                    "high": float(min(1.0, mean + half)) if mean <= 1 else float(mean + half),
                }
            )
    return rows


def plot_band(axes, x, mean, low, high, colour: str, label: str | None, dashes: str = "-") -> None:
    mark = "o" if len(x) < 2 else None  # a line of one point would not be seen
    axes.plot(x, mean, dashes, color=colour, label=label, linewidth=1.7, marker=mark, markersize=4)
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)


def reward_axis(axes, highest: float) -> None:
    axes.set_xlabel("training step")
    axes.set_ylabel("mean reward (share correct)")
    if highest <= 1:
        axes.set_ylim(-0.02, 1.02)
