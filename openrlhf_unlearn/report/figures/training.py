"""What training did, over its steps: rewards, forgetting, clipped tokens, and what the sample filter accepted."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Canvas, Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import curve, plot_band, reward_axis, reward_curves, windows
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES
from openrlhf_unlearn.report.reasoning import mean_of
from openrlhf_unlearn.stats.means import rate_interval
from openrlhf_unlearn.store.prompts import GROUPS
from openrlhf_unlearn.store.training import Clipping

# Reward of each group over the training steps (paper, Figure 1b) ------------------------------------------------------


def reward_by_group_data(material: Material) -> Data | None:
    return columns(reward_curves(material.visits, material.curve_groups))


def ends(data: Data, group: str) -> dict[str, float]:
    """First and last point of a group's curve, for the text."""
    mine = [row for row in records(data) if row["group"] == group]
    return {f"{group}_first": mine[0]["pass_rate"], f"{group}_last": mine[-1]["pass_rate"]} if mine else {}


def reward_by_group_caption(material: Material, data: Data) -> Sentence:
    text = (
        "Share of rollouts correct as sampled, before any filter, replay or shaping of rewards, of the prompts of each "
        "group; bands are 95 % intervals over prompts."
    )
    if material.provisional:
        text += (
            " What became of a prompt is not known yet, so prompts are told apart by the evaluation before training, "
        )
        return text + "if there is one: groups read off these rewards would rise and fall by chance.", {}
    if "no_reward" in data["group"]:
        text += " Those without a reward have none because that is what chose them."
    numbers = ends(data, "learnable") | ends(data, "unlearnable")
    if "learnable_first" in numbers:
        text += " The learnable went from {learnable_first:rate} to {learnable_last:rate}."
    if "unlearnable_first" in numbers:
        text += (
            " The unlearnable went from {unlearnable_first:rate} to {unlearnable_last:rate}. A flat line "
            "above zero is what the paper calls the unlearnability phenomenon."
        )
    return text, numbers


def draw_reward_by_group(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    rows = records(data)
    for group in dict.fromkeys(data["group"]):
        mine = [row for row in rows if row["group"] == group]
        plot_band(axes, mine, "pass_rate", GROUP_COLOURS[group], GROUP_NAMES[group])
    reward_axis(axes)
    figure.legend(loc="outside upper left", ncols=min(4, len(set(data["group"]))))


REWARD_BY_GROUP = Figure(
    name="reward_by_group",
    title="Reward of each group: share of rollouts correct",
    needs="rewards/ of a training run",
    data=reward_by_group_data,
    caption=reward_by_group_caption,
    draw=draw_reward_by_group,
    paper="1b",
    size=(9.6, 3.9),
    wide=True,
)


# Prompts that were solved once and are lost again: forgetting while training goes on ----------------------------------

SOLVED, LOST = 0.5, 0.25  # share correct of a visit from which a prompt is solved, and below which a solved one is lost
FEWEST_VISITS = 10  # visits of a window, below which its share is noise and is in the CSV only


def solved_state(rewards: np.ndarray, start: np.ndarray) -> np.ndarray:
    """1 where a prompt is solved after a visit, else 0, (visits,); visits in order of prompts, then of steps.

    start: (visits,) True at a prompt's first visit. Between the bounds nothing changes, so a mean of few rollouts does
    not flicker.
    """
    known = np.where(rewards >= SOLVED, 1, np.where(rewards < LOST, 0, -1))
    known[start & (known < 0)] = 0
    last = np.maximum.accumulate(np.where(known >= 0, np.arange(len(known)), 0))
    return known[last]


def after_solved(material: Material) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(step, prompt's row, whether it was lost) of the visits to prompts that were solved at the visit before."""
    visits = material.visits
    order = np.lexsort((visits.step, visits.run, visits.row))
    row, run = visits.row[order], visits.run[order]
    start = np.ones(len(row), bool)
    start[1:] = (row[1:] != row[:-1]) | (run[1:] != run[:-1])
    solved = solved_state(visits.pass_rate[order], start)
    before = np.flatnonzero(~start[1:] & (solved[:-1] == 1)) + 1
    before = before[np.isin(material.groups[row[before]], GROUPS)]
    return visits.step[order][before], row[before], solved[before] == 0


def turnover_data(material: Material) -> Data | None:
    """Of the visits of prompts that were solved at the visit before, the share that lost them, by group and window."""
    step, row, gone = after_solved(material)
    window, groups, rows = windows(step), material.groups[row], []
    for group in GROUPS:
        for number in np.unique(window):
            here = (groups == group) & (window == number)
            if here.any():
                lost = int(gone[here].sum())
                at = {"group": group, "step": float(step[here].mean()), "solved_before": int(here.sum())}
                rows.append({**at, "lost": lost, "share": lost / int(here.sum())})
    return columns(rows)


def turnover_caption(material: Material, data: Data) -> Sentence:
    _, row, gone = after_solved(material)
    of_prompts = mean_of(row, gone, material.size)
    share, interval = rate_interval(of_prompts)
    low, high = interval or (0.0, 1.0)
    return (
        "Of the visits to a prompt that was solved at the visit before ({solved:plain} of the rollouts correct, or "
        "more), the share at which it was lost (below {lost_bound:plain}). {lost:count} of {visits:count} in all; the "
        "mean of {prompts:count} {prompts:prompt|prompts} is {share:percent} (95 % interval {low:percent} to "
        "{high:percent}). Some of these are luck: a visit has few rollouts. Points of fewer than {fewest:count} such "
        "visits are in the data only.",
        {
            "solved": SOLVED, "lost_bound": LOST, "lost": sum(data["lost"]), "visits": sum(data["solved_before"]),
            "prompts": int(np.isfinite(of_prompts).sum()), "share": share, "low": low, "high": high,
            "fewest": FEWEST_VISITS,
        },
    )  # fmt: skip


def draw_turnover(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    rows = [row for row in records(data) if row["solved_before"] >= FEWEST_VISITS] or records(data)
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for group in groups:
        mine = [row for row in rows if row["group"] == group]
        x, y = [row["step"] for row in mine], [100 * row["share"] for row in mine]
        colour, label = GROUP_COLOURS[group], GROUP_NAMES[group]
        axes.plot(x, y, ".-", linewidth=1.4, markersize=5, clip_on=False, color=colour, label=label)
    axes.set_xlabel("training step")
    axes.set_ylabel("solved prompts lost (%)")
    axes.set_ylim(0, max(5, 105 * max(row["share"] for row in rows)))
    figure.legend(loc="outside upper left", ncols=len(groups) if len(groups) < 4 else 2)


TURNOVER = Figure(
    name="turnover",
    title="Forgotten while training",
    needs="rewards/ of a training run that visits prompts more than once",
    data=turnover_data,
    caption=turnover_caption,
    draw=draw_turnover,
)


# Share of clipped response tokens by group, positive and negative rollouts apart (paper, Figure 4) --------------------


def clipping_data(material: Material) -> Data | None:
    table, places = material.steps_of(Clipping)
    steps = table.step
    if not len(steps):
        return None
    window, found, rows = windows(steps), material.groups[places], []
    fractions = {"positive": table.positive_clip_fraction, "negative": table.negative_clip_fraction}
    for sign, fraction in fractions.items():
        for group in GROUPS:
            for point in curve(found == group, steps, window, places, fraction, rates=True):
                named = {"clip_fraction" if name == "mean" else name: value for name, value in point.items()}
                rows.append({"rollouts": sign, "group": group, **named})
    return columns(rows)


def clipping_caption(material: Material, data: Data) -> Sentence:
    text = (
        "Share of response tokens whose gradient the clipped objective sets to zero, left in correct, right in "
        "incorrect rollouts; bands are 95 % intervals over prompts. Are the unlearnable clipped more than others "
        "among the correct?"
    )
    rows = [row for row in records(data) if (row["rollouts"], row["group"]) == ("positive", "unlearnable")]
    if not rows:
        return text, {}
    peak = max(rows, key=lambda row: row["clip_fraction"])
    text += " Their highest point is {peak:percent}"
    text += "." if peak["low"] is None else " ({low:percent} to {high:percent})."
    return text, {"peak": peak["clip_fraction"], "low": peak["low"], "high": peak["high"]}


def draw_clipping(figure: Canvas, data: Data) -> None:
    left, right = figure.subplots(1, 2, sharey=True)
    rows, seen = records(data), set()
    for axes, sign in ((left, "positive"), (right, "negative")):
        for group in dict.fromkeys(data["group"]):
            mine = [row for row in rows if row["group"] == group and row["rollouts"] == sign]
            if mine:
                label = None if group in seen else GROUP_NAMES[group]
                seen.add(group)
                plot_band(axes, mine, "clip_fraction", GROUP_COLOURS[group], label, scale=100)
        axes.set_title("correct rollouts" if sign == "positive" else "incorrect rollouts", fontsize=9)
        axes.set_xlabel("training step")
    left.set_ylabel("clipped tokens (%)")
    left.set_ylim(bottom=0)
    figure.legend(loc="outside upper left", ncols=4)


CLIPPING = Figure(
    name="clipping",
    title="Clipped tokens",
    needs="clipping/ of a training run",
    data=clipping_data,
    caption=clipping_caption,
    draw=draw_clipping,
    paper="4",
    size=(9.6, 3.6),
    wide=True,
)


# What the sample filter did with the prompts visited at each step, and why --------------------------------------------

OUTCOME_COLOURS = ("#009E73", "#c3c9d0", "#56B4E9", "#E69F00", "#CC79A7", "#D55E00", "#666666")


def acceptance_data(material: Material) -> Data | None:
    visits = material.visits
    if not len(visits.step) or visits.accepted.all() or not any(visits.reason):  # imported runs had no filter of ours
        return None
    reason = np.where(visits.accepted, "accepted", visits.reason)
    window, rows = windows(visits.step), []
    names = ["accepted", *sorted(set(reason) - {"accepted"})]
    for number in np.unique(window):
        here = window == number
        for name in names:
            share = float((reason[here] == name).mean())
            rows.append({"step": float(visits.step[here].mean()), "outcome": str(name), "share": share})
    return columns(rows)


def acceptance_caption(material: Material, data: Data) -> Sentence:
    shares = [share for share, name in zip(data["share"], data["outcome"], strict=True) if name == "accepted"]
    return (
        "Prompts visited, by what the filter decided. {first:percent} were accepted at first and {last:percent} at the "
        "end; what is rejected has cost its sampling all the same.",
        {"first": shares[0], "last": shares[-1]},
    )


def draw_acceptance(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    names = list(dict.fromkeys(data["outcome"]))
    rows = records(data)
    steps = list(dict.fromkeys(data["step"]))
    shares = [[100 * row["share"] for row in rows if row["outcome"] == name] for name in names]
    labels = [name.replace("_", " ") for name in names]
    if len(steps) > 1:
        axes.stackplot(steps, shares, labels=labels, colors=OUTCOME_COLOURS[: len(names)], linewidth=0)
        axes.set_xlim(steps[0], steps[-1])
    else:
        for i, share in enumerate(shares):
            axes.bar(steps, share, bottom=sum(s[0] for s in shares[:i]), color=OUTCOME_COLOURS[i], label=labels[i])
    axes.set_ylim(0, 100)
    axes.set_xlabel("training step")
    axes.set_ylabel("prompts visited (%)")
    figure.legend(loc="outside upper left", ncols=2)


ACCEPTANCE = Figure(
    name="acceptance",
    title="What the filter accepted",
    needs="a run with a sample filter (--unlearn.filter)",
    data=acceptance_data,
    caption=acceptance_caption,
    draw=draw_acceptance,
)
