"""Prompts that were solved once and are lost again: forgetting while training goes on."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import windows
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES
from openrlhf_unlearn.stats.means import wilson
from openrlhf_unlearn.store.run_dir import GROUPS

SOLVED, LOST = 0.5, 0.25  # share correct of a visit from which a prompt is solved, and below which a solved one is lost
FEWEST = 10  # visits of a window, below which its share is noise and is in the CSV only


def solved_state(rewards: np.ndarray, start: np.ndarray) -> np.ndarray:
    """1 where a prompt is solved after a visit, else 0, (visits,); visits in order of prompts, then of steps.

    start: (visits,) True at a prompt's first visit. Between the bounds nothing changes, so a mean of few rollouts does
    not flicker.
    """
    known = np.where(rewards >= SOLVED, 1, np.where(rewards < LOST, 0, -1))
    known[start & (known < 0)] = 0
    last = np.maximum.accumulate(np.where(known >= 0, np.arange(len(known)), 0))
    return known[last]


def data(material) -> Data | None:
    """Of the visits of prompts that were solved at the visit before, the share that lost them, by group and window."""
    visits = material.visits
    order = np.lexsort((visits.step, visits.run, visits.row))
    row, run, step = visits.row[order], visits.run[order], visits.step[order]
    if not len(row):
        return None
    start = np.ones(len(row), bool)
    start[1:] = (row[1:] != row[:-1]) | (run[1:] != run[:-1])
    solved = solved_state(visits.pass_rate[order], start)
    before = np.concatenate([[0], solved[:-1]]) * ~start
    window, groups, rows = windows(step), material.groups[row], []
    for group in GROUPS:
        for number in np.unique(window):
            here = (groups == group) & (window == number) & (before == 1)
            if here.any():
                lost = int((solved[here] == 0).sum())
                at = {"group": group, "step": float(step[here].mean()), "solved_before": int(here.sum())}
                rows.append({**at, "lost": lost, "share": lost / int(here.sum())})
    return columns(rows)


def caption(material, data: Data):
    lost, visits = sum(data["lost"]), sum(data["solved_before"])
    low, high = wilson(lost / visits, visits)
    return (
        "Of the visits to a prompt that was solved at the visit before ({solved:plain} of the rollouts correct, or "
        "more), the share at which it was lost (below {lost_bound:plain}). {lost:count} of {visits:count} in all "
        "({share:percent}; 95 % interval {low:percent} to {high:percent}). Some of these are luck: a "
        "visit has few rollouts. Points of fewer than {fewest:count} such visits are in the data only.",
        {
            "solved": SOLVED, "lost_bound": LOST, "lost": lost, "visits": visits, "share": lost / visits, "low": low,
            "high": high, "fewest": FEWEST,
        },
    )  # fmt: skip


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    rows = [row for row in records(data) if row["solved_before"] >= FEWEST] or records(data)
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for group in groups:
        mine = [row for row in rows if row["group"] == group]
        x, y = [row["step"] for row in mine], [100 * row["share"] for row in mine]
        style = {"color": GROUP_COLOURS[group], "label": GROUP_NAMES[group]}
        axes.plot(x, y, ".-", linewidth=1.4, markersize=5, clip_on=False, **style)
    axes.set_xlabel("training step")
    axes.set_ylabel("solved prompts lost (%)")
    axes.set_ylim(0, max(5, 105 * max(row["share"] for row in rows)))
    figure.legend(loc="outside upper left", ncols=len(groups) if len(groups) < 4 else 2)


FIGURE = Figure(
    name="turnover",
    title="Forgotten while training",
    needs="rewards/ of a training run that visits prompts more than once",
    data=data,
    caption=caption,
    draw=draw,
)
