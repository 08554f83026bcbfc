"""Who got better, who got worse: learning and forgetting, prompt by prompt, beyond what sampling noise explains."""

import numpy as np
from scipy.stats import hypergeom

from openrlhf_unlearn.report.figures.base import Data, Figure, columns
from openrlhf_unlearn.report.palette import GROUP_NAMES, INK, SOFT
from openrlhf_unlearn.store.run_dir import GROUPS

LEVEL = 0.05  # of the two-sided test for each prompt
COLOURS = {"worse": "#CC79A7", "no clear change": "#c3c9d0", "better": "#56B4E9"}


def verdicts(before, after) -> np.ndarray:
    """-1, 0 or 1 for each prompt, (prompts,): Fisher's exact test at 5 %, whatever its pass rate; nan without samples.

    Given all positives of both evaluations, those of the second are hypergeometric if nothing changed.
    """
    n, m, total = before.n, after.n, before.positive + after.positive
    fewer = hypergeom.cdf(after.positive, n + m, total, m)
    more = hypergeom.sf(after.positive - 1, n + m, total, m)
    result = np.where(2 * more <= LEVEL, 1.0, np.where(2 * fewer <= LEVEL, -1.0, 0.0))
    result[(n == 0) | (m == 0)] = np.nan
    return result


def data(material) -> Data | None:
    before, after = material.tally(material.initial), material.tally(material.final)
    if before is None or after is None or before.adaptive or after.adaptive:
        return None  # adaptive counts are not of the test's distribution
    change, rows = verdicts(before, after), []
    for group in GROUPS:
        mine = change[(material.groups == group) & np.isfinite(change)]
        if len(mine):
            counts = {"worse": int((mine < 0).sum()), "better": int((mine > 0).sum())}
            rows.append({"group": group, "prompts": len(mine), **counts, "unchanged": int((mine == 0).sum())})
    return columns(rows)


def caption(material, data: Data):
    by_group = dict(zip(data["group"], zip(data["worse"], data["prompts"], strict=True), strict=True))
    text = (
        "Prompts whose pass@1 rose or fell between the first and the last evaluation by more than sampling noise; each "
        "is tested alone, so up to {level:percent} of the unchanged ones show a change by chance."
    )
    if "easy" not in by_group:
        return text, {"level": LEVEL}
    worse, prompts = by_group["easy"]
    return (
        text + " Forgetting would be easy ones that got worse: {worse:count} of {prompts:count} did.",
        {"level": LEVEL, "worse": worse, "prompts": prompts},
    )


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    total, left = np.array(data["prompts"]), np.zeros(len(data["prompts"]))
    place = np.arange(len(total))[::-1]
    for label, name in (("worse", "worse"), ("no clear change", "unchanged"), ("better", "better")):
        share = 100 * np.array(data[name]) / total
        axes.barh(place, share, left=left, color=COLOURS[label], label=label, height=0.62)
        for y, x, width, n in zip(place, left, share, data[name], strict=True):
            if width > 9:
                axes.text(x + width / 2, y, str(n), ha="center", va="center", fontsize=8, color="#111111")
        left += share
    axes.set_yticks(place, [GROUP_NAMES[group] for group in data["group"]])
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the group's prompts (%); in the bars: prompts")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0, labelcolor=INK, color=SOFT)
    figure.legend(loc="outside upper left", ncols=3)


FIGURE = Figure(
    name="change",
    title="Learned and forgotten",
    needs="an initial and a final evaluation with a fixed number of samples: openrlhf-unlearn evaluate",
    data=data,
    caption=caption,
    draw=draw,
)
