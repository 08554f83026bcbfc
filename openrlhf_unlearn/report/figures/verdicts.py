"""What the grader said of the last evaluation's samples, by group: an honest failure, or the verifier's?"""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns
from openrlhf_unlearn.report.palette import GROUP_NAMES
from openrlhf_unlearn.store.run_dir import GROUPS, VERDICTS

COLOURS = {
    "correct": "#009E73",
    "wrong": "#c3c9d0",
    "no_answer": "#56B4E9",
    "timeout": "#E69F00",
    "error": "#CC79A7",
    "bad_label": "#D55E00",
}


def data(material) -> Data | None:
    tags = [tag for tag in material.tags if material.tally(tag).n.sum()]
    if not tags:
        return None
    tally, rows = material.tally(tags[-1]), []
    for group in GROUPS:
        mine = material.groups == group
        for verdict in VERDICTS:
            samples = int(tally.verdicts[verdict][mine].sum()) if verdict in tally.verdicts else 0
            if samples:
                rows.append({"evaluation": tags[-1], "group": group, "verdict": verdict, "samples": samples})
    return columns(rows)


def caption(material, data: Data):
    silent = sum(n for n, v in zip(data["samples"], data["verdict"], strict=True) if v == "no_answer")
    broken = sum(n for n, v in zip(data["samples"], data["verdict"], strict=True) if v in ("timeout", "error"))
    return (
        "Verdicts on the samples of the {tag} evaluation. {silent:count} had no answer to grade and {broken:count} "
        "could not be graded in time or at all; where these are many, mend format or verifier first.",
        {"tag": data["evaluation"][0], "silent": silent, "broken": broken},
    )


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    groups = list(dict.fromkeys(data["group"]))
    place = {group: len(groups) - 1 - i for i, group in enumerate(groups)}
    total = dict.fromkeys(groups, 0)
    for group, n in zip(data["group"], data["samples"], strict=True):
        total[group] += n
    left, seen = dict.fromkeys(groups, 0.0), set()
    for group, verdict, n in zip(data["group"], data["verdict"], data["samples"], strict=True):
        share = 100 * n / total[group]
        label = None if verdict in seen else verdict.replace("_", " ")
        seen.add(verdict)
        axes.barh(place[group], share, left=left[group], color=COLOURS[verdict], height=0.62, label=label)
        left[group] += share
    axes.set_yticks(list(place.values()), [GROUP_NAMES[group] for group in place])
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the group's samples (%)")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=3)


FIGURE = Figure(
    name="verdicts",
    title="What the grader said",
    needs="an evaluation: openrlhf-unlearn evaluate",
    data=data,
    caption=caption,
    draw=draw,
)
