"""Do new problems help? Reward over training of originals and of what was made from them (paper, Figures 8, 9, 14)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import plot_band, reward_axis, windows
from openrlhf_unlearn.report.figures.marks import group_mean

KINDS = {"original": "original", "similar": "similar problems", "subproblems": "sub-problems"}
COLOURS = {"original": "#D55E00", "similar": "#0072B2", "subproblems": "#009E73"}


def data(material) -> Data | None:
    """Runs whose data is one of augment's mixtures: its `datasource` names the kind of each prompt."""
    visits = material.visits
    kind = np.array(material.prompts.datasource, dtype=object)[visits.row]
    if not np.isin(kind, ("similar", "subproblems")).any():
        return None
    window, rows = windows(visits.step), []
    for name in KINDS:
        for number in np.unique(window[kind == name]):
            here = (kind == name) & (window == number)
            rows.append(
                {
                    "kind": name,
                    "step": float(visits.step[here].mean()),
                    **group_mean(visits.pass_rate[here], rates=True),
                }
            )
    return columns(rows)


def caption(material, data: Data):
    text = (
        "Share of rollouts correct as sampled, of the original prompts and of the problems made from them; bands are "
        "95 % intervals. "
        "Bands of the originals that stay level while the new problems rise show no carrying over."
    )
    mine = [row["mean"] for row in records(data) if row["kind"] == "original"]
    if not mine:
        return text, {}
    return text + " The originals went from {first:rate} to {last:rate}.", {"first": mine[0], "last": mine[-1]}


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    rows = records(data)
    for name in dict.fromkeys(data["kind"]):
        mine = [row for row in rows if row["kind"] == name]
        column = ([row[key] for row in mine] for key in ("step", "mean", "low", "high"))
        plot_band(axes, *column, COLOURS[name], KINDS[name])
    reward_axis(axes)
    figure.legend(loc="outside upper left", ncols=3)


FIGURE = Figure(
    name="augmentation",
    title="Originals and new problems",
    needs="a run on a mixture of `openrlhf-unlearn augment`",
    data=data,
    caption=caption,
    draw=draw,
    paper="8, 9, 14",
)
