"""How likely correct rollouts were to the reference model and to the policy (paper, Figure 3)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import plot_band, windows
from openrlhf_unlearn.report.figures.marks import group_mean
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES
from openrlhf_unlearn.store.prompts import GROUPS
from openrlhf_unlearn.store.training import Likelihood

TITLES = {"reference": "under the reference model", "policy": "under the policy"}


def data(material) -> Data | None:
    table, places = material.steps_of(Likelihood)
    steps, groups = table.step, material.groups[places]
    window, rows = windows(steps), []
    for model, values in zip(TITLES, (table.reference_log_likelihood, table.policy_log_likelihood), strict=True):
        for group in GROUPS:
            mine = (groups == group) & np.isfinite(values)
            for number in np.unique(window[mine]):
                here = mine & (window == number)
                rows.append(
                    {"model": model, "group": group, "step": float(steps[here].mean()), **group_mean(values[here])}
                )
    return columns(rows)


def caption(material, data: Data):
    text = (
        "Mean log-likelihood a token of correct rollouts, by group; bands are 95 % intervals over prompts. A correct "
        "rollout that the reference model finds unlikely is a lucky one, off the model's own way."
    )
    means = {group: _mean(data, group) for group in ("learnable", "unlearnable")}
    if None in means.values():
        return text, {}
    return (
        text + " Under the reference: {learnable:rate} nats for the learnable, {unlearnable:rate} for the unlearnable.",
        means,
    )


def _mean(data: Data, group: str) -> float | None:
    """Over all prompts and steps, under the reference."""
    mine = [row for row in records(data) if row["group"] == group and row["model"] == "reference"]
    total = sum(row["prompts"] for row in mine)
    return sum(row["mean"] * row["prompts"] for row in mine) / total if total else None


def draw(figure, data: Data) -> None:
    models = list(dict.fromkeys(data["model"]))
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    rows, seen = records(data), set()
    for axes, model in zip(panels, models, strict=True):
        for group in dict.fromkeys(data["group"]):
            mine = [row for row in rows if row["model"] == model and row["group"] == group]
            if mine:
                column = ([row[name] for row in mine] for name in ("step", "mean", "low", "high"))
                plot_band(axes, *column, GROUP_COLOURS[group], None if group in seen else GROUP_NAMES[group])
                seen.add(group)
        axes.set_title(TITLES[model], fontsize=9)
        axes.set_xlabel("training step")
    panels[0].set_ylabel("log-likelihood (nats a token)")
    figure.legend(loc="outside upper left", ncols=4)


FIGURE = Figure(
    name="likelihood",
    title="Likelihood of correct rollouts",
    needs="likelihood/ of a training run with a reference model",
    data=data,
    caption=caption,
    draw=draw,
    paper="3",
    size=(9.6, 3.6),
    wide=True,
)
