"""Reward of each group over training under several interventions (paper, Figures 2, 5 and 15b)."""

from openrlhf_unlearn.report.compare import names
from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import plot_band, reward_axis, reward_curves
from openrlhf_unlearn.report.palette import GROUP_NAMES, RUN_COLOURS

STYLES = ("-", "--", "-.", ":")


def data(material) -> Data | None:
    if not material.compared:
        return None
    rows = []
    for name, single in zip(names(material), material.interventions, strict=True):
        rows += [{"run": name, **row} for row in reward_curves(single.visits, material.curve_groups)]
    return columns(rows)


def caption(material, data: Data):
    return (
        "Share of rollouts correct as sampled, of the first run's groups in {runs:count} runs; bands are 95 % "
        "intervals over prompts. An intervention that teaches the unlearnable lifts its line in their panel.",
        {"runs": len(set(data["run"]))},
    )


def draw(figure, data: Data) -> None:
    groups = list(dict.fromkeys(data["group"]))[:4]
    runs = list(dict.fromkeys(data["run"]))
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    rows = records(data)
    named = set()  # a run may have trained on some groups alone, so its name may come with any panel
    for axes, group in zip(panels, groups, strict=True):
        for i, run in enumerate(runs):
            mine = [row for row in rows if row["group"] == group and row["run"] == run]
            if mine:
                column = {name: [row[name] for row in mine] for name in ("step", "pass_rate", "low", "high")}
                label = None if run in named else run
                named.add(run)
                plot_band(axes, *column.values(), RUN_COLOURS[i % len(RUN_COLOURS)], label, STYLES[i % len(STYLES)])
        reward_axis(axes)
        axes.set_title(GROUP_NAMES[group], fontsize=9)
        if axes is not panels[0]:
            axes.set_ylabel("")
    figure.legend(loc="outside upper left", ncols=min(3, len(runs)))


FIGURE = Figure(
    name="compared_rewards",
    title="Interventions: reward by group",
    needs="several runs: openrlhf-unlearn analyze RUN_A RUN_B --compare",
    data=data,
    caption=caption,
    draw=draw,
    paper="2, 5, 15b",
    size=(9.6, 3.6),
    wide=True,
)
