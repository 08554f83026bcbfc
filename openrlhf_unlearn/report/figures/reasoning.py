"""How good the reasoning of correct rollouts is, judged from 0 to 5 (paper, Figures 1d and 7)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import group_lines, group_mean
from openrlhf_unlearn.report.palette import GROUP_NAMES
from openrlhf_unlearn.report.reasoning import prompt_scores, rollout_scores
from openrlhf_unlearn.store.run_dir import GROUPS

SCORES = range(6)
SHADES = ("#D55E00", "#E69F00", "#dcc57a", "#c3c9d0", "#56B4E9", "#0072B2")  # of a score, from 0 to 5


def data(material) -> Data | None:
    rows = []
    for tag in material.judgements:
        row, score = rollout_scores(material, tag)
        by_prompt = prompt_scores(material, tag)
        for group in GROUPS:
            mine = score[material.groups[row] == group]
            if len(mine):
                counts = np.bincount(np.rint(mine).astype(int), minlength=6)
                shares = {f"share_{i}": float(counts[i] / len(mine)) for i in SCORES}
                found = group_mean(by_prompt[material.groups == group])
                rows.append({"evaluation": tag, "group": group, "rollouts": len(mine), **found, **shares})
    return columns(rows)


def caption(material, data: Data):
    text = (
        "Judged quality of the reasoning that led to correct answers: mean over prompts with 95 % intervals, and the "
        "share of rollouts with each score. A right answer by poor reasoning is rewarded all the same, and teaches "
        "nothing that carries over."
    )
    first = {row["group"]: row["mean"] for row in records(data) if row["evaluation"] == data["evaluation"][0]}
    numbers = {group: first[group] for group in ("learnable", "unlearnable") if group in first}
    if len(numbers) < 2:
        return text, {}
    return text + " At {tag:plain}: learnable {learnable:small}, unlearnable {unlearnable:small} of {best:count}.", {
        "tag": data["evaluation"][0],
        "best": SCORES[-1],
        **numbers,
    }


def draw(figure, data: Data) -> None:
    left, right = figure.subplots(1, 2)
    rows = records(data)
    group_lines(left, rows, "evaluation")
    left.set_ylim(-0.1, 5.1)
    left.set_xlabel("evaluation")
    left.set_ylabel("reasoning quality (0 to 5)")
    _shares(right, [row for row in rows if row["evaluation"] == data["evaluation"][0]])
    for axes in (left, right):
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, borderaxespad=0)


def _shares(axes, rows: list[dict]) -> None:
    place, start = np.arange(len(rows))[::-1], np.zeros(len(rows))
    for score in SCORES:
        share = 100 * np.array([row[f"share_{score}"] for row in rows])
        axes.barh(place, share, left=start, color=SHADES[score], label=f"score {score}", height=0.62)
        start += share
    axes.set_yticks(place, [GROUP_NAMES[row["group"]] for row in rows])
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"share of the rollouts at {rows[0]['evaluation']} (%)")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


FIGURE = Figure(
    name="reasoning",
    title="Quality of reasoning",
    needs="openrlhf-unlearn judge RUN --tag initial --model JUDGE",
    data=data,
    caption=caption,
    draw=draw,
    paper="1d, 7",
    size=(9.6, 3.6),
    wide=True,
)
