"""Training rewards of groups over training steps: the numbers behind every reward curve.

The training reward of a prompt at a step is the share of its rollouts as sampled, before any filter, replay or shaping,
that are correct by the run's rule (paper, footnote 3, where rewards are 0 and 1).
"""

from typing import Any

import numpy as np

from openrlhf_unlearn.report.figures.base import Axes
from openrlhf_unlearn.report.figures.marks import group_mean
from openrlhf_unlearn.report.material import Visits
from openrlhf_unlearn.report.reasoning import mean_of
from openrlhf_unlearn.store.run_dir import GROUPS

POINTS = 40  # windows of steps that a curve is drawn with, at most


def windows(steps: np.ndarray) -> np.ndarray:
    """The window of each visit, (visits,): one a step, or of several steps where a run has many."""
    distinct = np.unique(steps)
    width = max(1, int(np.ceil(len(distinct) / POINTS)))
    return np.searchsorted(distinct, steps) // width


def reward_curves(visits: Visits, groups: np.ndarray) -> list[dict]:
    """A row for each group and window: the mean share correct of the prompts visited, with its 95 % interval.

    groups: (prompts,) of str. A prompt that is visited more than once in a window counts once, with its mean. The mean
    of the rewards themselves, which differs where they are not 0 and 1, is in the row but not drawn.
    """
    if not len(visits.step):
        return []
    window, found, rows = windows(visits.step), groups[visits.row], []
    known = np.isfinite(visits.pass_rate)
    for group in dict.fromkeys((*GROUPS, *np.unique(groups.astype(str)))):
        mine = (found == group) & known & (group != "")
        for number in np.unique(window[mine]):
            here = mine & (window == number)
            row = visits.row[here]
            share, reward = (mean_of(row, v[here], len(groups)) for v in (visits.pass_rate, visits.mean_reward))
            told, trained = group_mean(share, rates=True), group_mean(reward)
            if told:
                about = {"group": group, "step": float(visits.step[here].mean()), "visits": int(here.sum())}
                shown = {"pass_rate": told["mean"], "low": told["low"], "high": told["high"]}
                rows.append(about | shown | {"mean_reward": trained and trained["mean"]})
    return rows


def curve(
    mine: np.ndarray, step: np.ndarray, window: np.ndarray, row: np.ndarray, values: np.ndarray, rates: bool = False
) -> list[dict]:
    """step, prompts, mean, low and high of each window of `mine`, over prompts; (visits,) each, `row` the prompt's.

    A prompt that is visited more than once in a window, or in several runs, counts once, with its mean.
    """
    mine, found = mine & np.isfinite(values), []
    for number in np.unique(window[mine]):
        here = mine & (window == number)
        if told := group_mean(mean_of(row[here], values[here], int(row.max()) + 1), rates):
            found.append({"step": float(step[here].mean()), **told})
    return found


def plot_band(
    axes: Axes,
    rows: list[dict[str, Any]],
    value: str,
    colour: str,
    label: str | None,
    dashes: str = "-",
    scale: int = 1,
) -> None:
    """A line through rows[value] over their steps, in a band from low to high, `scale` times as large as they are."""
    x = [row["step"] for row in rows]
    mean, low, high = (  # None, where there is no interval, as nan
        scale * np.array([row[name] for row in rows], dtype=float) for name in (value, "low", "high")
    )
    mark = "o" if len(x) < 2 else None  # a line of one point would not be seen
    axes.plot(x, mean, dashes, color=colour, label=label, linewidth=1.7, marker=mark, markersize=4)
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)


def reward_axis(axes: Axes) -> None:
    axes.set_xlabel("training step")
    axes.set_ylabel("share of rollouts correct")
    axes.set_ylim(-0.02, 1.02)
