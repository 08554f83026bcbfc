"""Share of clipped response tokens by group, positive and negative rollouts apart (paper, Figure 4)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import plot_band, windows
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES
from openrlhf_unlearn.stats.means import rate_interval
from openrlhf_unlearn.store.prompts import GROUPS
from openrlhf_unlearn.store.training import Clipping

NONE = 0.001  # share of tokens below which clipping cannot matter


def data(material) -> Data | None:
    table, places = material.steps_of(Clipping)
    steps = table.step
    if not len(steps):
        return None
    window, found, rows = windows(steps), material.groups[places], []
    fractions = {"positive": table.positive_clip_fraction, "negative": table.negative_clip_fraction}
    for sign, fraction in fractions.items():
        for group in GROUPS:
            mine = (found == group) & np.isfinite(fraction)
            for number in np.unique(window[mine]):
                here = mine & (window == number)
                mean, interval = rate_interval(fraction[here])
                low, high = interval or (None, None)
                rows.append(
                    {
                        "rollouts": sign,
                        "group": group,
                        "step": float(steps[here].mean()),
                        "prompts": int(here.sum()),
                        "clip_fraction": mean,
                        "low": low,
                        "high": high,
                    }
                )
    return columns(rows)


def caption(material, data: Data):
    text = (
        "Share of response tokens whose gradient the clipped objective sets to zero, left in correct, right in "
        "incorrect rollouts; bands are 95 % intervals over prompts. If clipping were the cause, the unlearnable would "
        "stand out among the correct."
    )
    rows = [row for row in records(data) if (row["rollouts"], row["group"]) == ("positive", "unlearnable")]
    if not rows:
        return text, {}
    peak = max(row["clip_fraction"] for row in rows)
    text += " Their highest point is {peak:percent}"
    return text + (": next to none, so it is not the cause here." if peak < NONE else "."), {"peak": peak}


def draw(figure, data: Data) -> None:
    left, right = figure.subplots(1, 2, sharey=True)
    rows, seen = records(data), set()
    for axes, sign in ((left, "positive"), (right, "negative")):
        for group in dict.fromkeys(data["group"]):
            mine = [row for row in rows if row["group"] == group and row["rollouts"] == sign]
            if mine:
                column = {
                    name: [None if row[name] is None else 100 * row[name] for row in mine]
                    for name in ("clip_fraction", "low", "high")
                }
                label = None if group in seen else GROUP_NAMES[group]
                seen.add(group)
                plot_band(axes, [row["step"] for row in mine], *column.values(), GROUP_COLOURS[group], label)
        axes.set_title("correct rollouts" if sign == "positive" else "incorrect rollouts", fontsize=9)
        axes.set_xlabel("training step")
    left.set_ylabel("clipped tokens (%)")
    left.set_ylim(bottom=0)
    figure.legend(loc="outside upper left", ncols=4)


FIGURE = Figure(
    name="clipping",
    title="Clipped tokens",
    needs="clipping/ of a training run",
    data=data,
    caption=caption,
    draw=draw,
    paper="4",
    size=(9.6, 3.6),
    wide=True,
)
