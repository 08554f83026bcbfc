"""pass@1 of each group at every evaluation: before, after, and at checkpoints between (paper, Figures 15a and 18)."""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import group_lines, group_mean, legend
from openrlhf_unlearn.store.run_dir import GROUPS


def data(material) -> Data | None:
    rows = []
    for group in GROUPS:
        for tag in material.tags:
            if found := group_mean(material.tally(tag).rate[material.groups == group], rates=True):
                rows.append({"group": group, "evaluation": tag, **found})
    return columns(rows)


def caption(material, data: Data):
    text = (
        "pass@1 of each group at {evaluations:count} {evaluations:evaluation|evaluations}, mean over its prompts with "
        "95 % intervals. The evaluations before and after chose the groups, so that by luck alone the hard were lower "
        "before, the learnable higher after, and the unlearnable lower after than they are."
    )
    if any(material.tally(tag).adaptive for tag in set(data["evaluation"])):
        text += " Sampling was adaptive: these are unbiased rates, not positives over samples."
    return text, {"evaluations": len(set(data["evaluation"]))}


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    group_lines(axes, records(data), "evaluation")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("evaluation")
    axes.set_ylabel("pass@1 (share correct)")
    legend(figure, len(set(data["group"])))


FIGURE = Figure(
    name="pass_rates",
    title="pass@1 by evaluation",
    needs="openrlhf-unlearn evaluate --model M --tag TAG --run RUN",
    data=data,
    caption=caption,
    draw=draw,
    paper="15a, 18",
)
