"""What the sample filter did with the prompts visited at each step, and why."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import windows

COLOURS = ("#009E73", "#c3c9d0", "#56B4E9", "#E69F00", "#CC79A7", "#D55E00", "#666666")


def data(material) -> Data | None:
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


def caption(material, data: Data):
    shares = [share for share, name in zip(data["share"], data["outcome"], strict=True) if name == "accepted"]
    return (
        "Prompts visited, by what the filter decided. {first:percent} were accepted at first and {last:percent} at the "
        "end; what is rejected for all rollouts alike costs sampling and teaches nothing.",
        {"first": shares[0], "last": shares[-1]},
    )


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    names = list(dict.fromkeys(data["outcome"]))
    rows = records(data)
    steps = list(dict.fromkeys(data["step"]))
    shares = [[100 * row["share"] for row in rows if row["outcome"] == name] for name in names]
    labels = [name.replace("_", " ") for name in names]
    if len(steps) > 1:
        axes.stackplot(steps, shares, labels=labels, colors=COLOURS[: len(names)], linewidth=0)
        axes.set_xlim(steps[0], steps[-1])
    else:
        for i, share in enumerate(shares):
            axes.bar(steps, share, bottom=sum(s[0] for s in shares[:i]), color=COLOURS[i], label=labels[i])
    axes.set_ylim(0, 100)
    axes.set_xlabel("training step")
    axes.set_ylabel("prompts visited (%)")
    figure.legend(loc="outside upper left", ncols=2)


FIGURE = Figure(
    name="acceptance",
    title="What the filter accepted",
    needs="a run with a sample filter (--unlearn.filter)",
    data=data,
    caption=caption,
    draw=draw,
)
