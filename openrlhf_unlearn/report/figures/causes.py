"""Why prompts were not learned, by group: how many of each cause, and of how many it cannot be told."""

from openrlhf_unlearn.causes import UNDECIDED
from openrlhf_unlearn.causes.words import NAMES
from openrlhf_unlearn.report.figures.base import Data, Figure, columns
from openrlhf_unlearn.report.palette import GROUP_NAMES
from openrlhf_unlearn.store.run_dir import CAUSES, GROUPS

COLOURS = dict(
    zip(CAUSES, ("#56B4E9", "#D55E00", "#E69F00", "#666666", "#009E73", "#CC79A7", "#0072B2", "#8c510a"), strict=True)
) | {UNDECIDED: "#c3c9d0"}


def data(material) -> Data | None:
    if material.causes is None:
        return None
    rows = []
    for group in GROUPS:
        for cause in (*CAUSES, UNDECIDED):
            n = int(((material.groups == group) & (material.causes.cause == cause)).sum())
            if n:
                rows.append({"group": group, "cause": cause, "prompts": n})
    return columns(rows)


def caption(material, data: Data):
    told = sum(n for n, cause in zip(data["prompts"], data["cause"], strict=True) if cause != UNDECIDED)
    text = (
        "The cause of each hard prompt that was not learned, where one has a probability of {sure:percent}: "
        "{told:count} of {prompts:count}. The causes ask for opposite remedies (under Advice)."
    )
    numbers = {"sure": material.causes.summary["sure"], "told": told, "prompts": sum(data["prompts"])}
    return text, numbers


def draw(figure, data: Data) -> None:
    axes, left, seen = figure.subplots(), {}, set()
    groups = list(dict.fromkeys(data["group"]))
    for group, cause, n in zip(data["group"], data["cause"], data["prompts"], strict=True):
        place = len(groups) - 1 - groups.index(group)
        label = None if cause in seen else NAMES[cause]
        seen.add(cause)
        axes.barh(place, n, left=left.get(group, 0), color=COLOURS[cause], height=0.62, label=label)
        left[group] = left.get(group, 0) + n
    axes.set_yticks(range(len(groups) - 1, -1, -1), [GROUP_NAMES[group] for group in groups])
    axes.set_xlabel("prompts")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=2)


FIGURE = Figure(
    name="causes",
    title="Why they were not learned",
    needs="a diagnosis: openrlhf-unlearn diagnose RUN",
    data=data,
    caption=caption,
    draw=draw,
)
