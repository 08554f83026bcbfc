"""Reward of each group over the training steps (paper, Figure 1b)."""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import plot_band, reward_axis, reward_curves
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES


def data(material) -> Data | None:
    return columns(reward_curves(material.visits, material.curve_groups))


def ends(data: Data, group: str) -> dict[str, float]:
    """First and last point of a group's curve, for the text."""
    mine = [row for row in records(data) if row["group"] == group]
    return {f"{group}_first": mine[0]["pass_rate"], f"{group}_last": mine[-1]["pass_rate"]} if mine else {}


def caption(material, data: Data):
    text = (
        "Share of rollouts correct as sampled, before any filter, replay or shaping of rewards, of the prompts of each "
        "group; bands are 95 % intervals."
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


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    rows = records(data)
    for group in dict.fromkeys(data["group"]):
        mine = [row for row in rows if row["group"] == group]
        column = {name: [row[name] for row in mine] for name in ("step", "pass_rate", "low", "high")}
        plot_band(axes, *column.values(), GROUP_COLOURS[group], GROUP_NAMES[group])
    reward_axis(axes)
    figure.legend(loc="outside upper left", ncols=min(4, len(set(data["group"]))))


FIGURE = Figure(
    name="reward_by_group",
    title="Reward of each group: share of rollouts correct",
    needs="rewards/ of a training run",
    data=data,
    caption=caption,
    draw=draw,
    paper="1b",
    size=(9.6, 3.9),
    wide=True,
)
