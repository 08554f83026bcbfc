"""What became of the prompts, by group: causes, rates before and after, and how much hangs on the thresholds."""

import numpy as np
from scipy.stats import hypergeom

from openrlhf_unlearn.causes import UNDECIDED
from openrlhf_unlearn.causes.words import NAMES
from openrlhf_unlearn.report.figures.base import Canvas, Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import group_lines, group_mean, legend
from openrlhf_unlearn.report.forecast import beside, own_forecast
from openrlhf_unlearn.report.groups import HARD
from openrlhf_unlearn.report.material import Material, Tally
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES, INK, SOFT
from openrlhf_unlearn.store.prompts import CAUSES, GROUPS

# Why prompts were not learned, by group: how many of each cause, and for how many it is uncertain --------------------

CAUSE_COLOURS = dict(
    zip(CAUSES, ("#56B4E9", "#D55E00", "#E69F00", "#666666", "#009E73", "#CC79A7", "#0072B2", "#8c510a"), strict=True)
) | {UNDECIDED: "#c3c9d0"}


def causes_data(material: Material) -> Data | None:
    if material.causes is None:
        return None
    rows = []
    for group in GROUPS:
        for cause in (*CAUSES, UNDECIDED):
            n = int(((material.groups == group) & (material.causes.cause == cause)).sum())
            if n:
                rows.append({"group": group, "cause": cause, "prompts": n})
    return columns(rows)


def causes_caption(material: Material, data: Data) -> Sentence:
    told = sum(n for n, cause in zip(data["prompts"], data["cause"], strict=True) if cause != UNDECIDED)
    text = (
        "The cause of each hard prompt that was not learned, where one has a probability of {sure:percent} and its "
        "evidence bears it out: "
        "{told:count} of {prompts:count}. The causes ask for opposite remedies (under Advice)."
    )
    sure = material.causes and material.causes.summary["sure"]
    numbers = {"sure": sure, "told": told, "prompts": sum(data["prompts"])}
    return text, numbers


def draw_causes(figure: Canvas, data: Data) -> None:
    axes, left, seen = figure.subplots(), {}, set()
    groups = list(dict.fromkeys(data["group"]))
    for group, cause, n in zip(data["group"], data["cause"], data["prompts"], strict=True):
        place = len(groups) - 1 - groups.index(group)
        label = None if cause in seen else NAMES[cause]
        seen.add(cause)
        axes.barh(place, n, left=left.get(group, 0), color=CAUSE_COLOURS[cause], height=0.62, label=label)
        left[group] = left.get(group, 0) + n
    axes.set_yticks(range(len(groups) - 1, -1, -1), [GROUP_NAMES[group] for group in groups])
    axes.set_xlabel("prompts")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=2)


CAUSES_BY_GROUP = Figure(
    name="causes",
    title="Why they were not learned",
    needs="a diagnosis: openrlhf-unlearn diagnose RUN",
    data=causes_data,
    caption=causes_caption,
    draw=draw_causes,
)


# pass@1 of each group at every evaluation: before, after, and at checkpoints between (paper, Figures 15a and 18) ------


def pass_rates_data(material: Material) -> Data | None:
    rows = []
    for group in GROUPS:
        for tag in material.tags:
            if found := group_mean(material.rates(tag)[material.groups == group], rates=True):
                rows.append({"group": group, "evaluation": tag, **found})
    return columns(rows)


def pass_rates_caption(material: Material, data: Data) -> Sentence:
    text = (
        "pass@1 of each group at {evaluations:count} {evaluations:evaluation|evaluations}, mean over its prompts with "
        "95 % intervals. The evaluations before and after chose the groups, so that by luck alone the hard were lower "
        "before, the learnable higher after, and the unlearnable lower after than they are."
    )
    if any(tally.adaptive for tag in set(data["evaluation"]) if (tally := material.tally(tag))):
        text += " Sampling was adaptive: these are unbiased rates, not positives over samples."
    return text, {"evaluations": len(set(data["evaluation"]))}


def draw_pass_rates(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    group_lines(axes, records(data), "evaluation")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("evaluation")
    axes.set_ylabel("pass@1 (share correct)")
    legend(figure, len(set(data["group"])))


PASS_RATES = Figure(
    name="pass_rates",
    title="pass@1 by evaluation",
    needs="openrlhf-unlearn evaluate --model M --tag TAG --run RUN",
    data=pass_rates_data,
    caption=pass_rates_caption,
    draw=draw_pass_rates,
    paper="15a, 18",
)


# Who got better, who got worse: learning and forgetting, prompt by prompt, beyond what sampling noise explains --------

CHANGE_LEVEL = 0.05  # of the two-sided test for each prompt
CHANGE_COLOURS = {"worse": "#CC79A7", "no clear change": "#c3c9d0", "better": "#56B4E9"}


def changed(before: Tally, after: Tally) -> np.ndarray:
    """-1, 0 or 1 for each prompt, (prompts,): Fisher's exact test at 5 %, whatever its pass rate; nan without samples.

    Given all positives of both evaluations, those of the second are hypergeometric if nothing changed.
    """
    n, m, total = before.n, after.n, before.positive + after.positive
    fewer = hypergeom.cdf(after.positive, n + m, total, m)
    more = hypergeom.sf(after.positive - 1, n + m, total, m)
    result = np.where(2 * more <= CHANGE_LEVEL, 1.0, np.where(2 * fewer <= CHANGE_LEVEL, -1.0, 0.0))
    result[(n == 0) | (m == 0)] = np.nan
    return result


def change_data(material: Material) -> Data | None:
    before, after = material.tally(material.initial), material.tally(material.final)
    if before is None or after is None or before.adaptive or after.adaptive:
        return None  # adaptive counts are not of the test's distribution
    change, rows = changed(before, after), []
    for group in GROUPS:
        mine = change[(material.groups == group) & np.isfinite(change)]
        if len(mine):
            counts = {"worse": int((mine < 0).sum()), "better": int((mine > 0).sum())}
            rows.append({"group": group, "prompts": len(mine), **counts, "unchanged": int((mine == 0).sum())})
    return columns(rows)


def change_caption(material: Material, data: Data) -> Sentence:
    by_group = dict(zip(data["group"], zip(data["worse"], data["prompts"], strict=True), strict=True))
    text = (
        "Prompts whose pass@1 rose or fell between the first and the last evaluation by more than sampling noise; each "
        "is tested alone, so of all unchanged prompts up to {level:percent} show a change by chance. Groups that the "
        "same samples chose have more than their part of these: easy ones seem to get worse, learnable ones better."
    )
    if "easy" not in by_group:
        return text, {"level": CHANGE_LEVEL}
    worse, prompts = by_group["easy"]
    return (
        text + " Forgetting would be easy ones that got worse: {worse:count} of {prompts:count} did.",
        {"level": CHANGE_LEVEL, "worse": worse, "prompts": prompts},
    )


def draw_change(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    total, left = np.array(data["prompts"]), np.zeros(len(data["prompts"]))
    place = np.arange(len(total))[::-1]
    for label, name in (("worse", "worse"), ("no clear change", "unchanged"), ("better", "better")):
        share = 100 * np.array(data[name]) / total
        axes.barh(place, share, left=left, color=CHANGE_COLOURS[label], label=label, height=0.62)
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


CHANGE = Figure(
    name="change",
    title="Learned and forgotten",
    needs="an initial and a final evaluation with a fixed number of samples: openrlhf-unlearn evaluate",
    data=change_data,
    caption=change_caption,
    draw=draw_change,
)


# How the shares of the groups move with the thresholds and with the number of samples ---------------------------------

VARIED = {
    "tau": "τ: final pass@1 below which\na prompt is unlearnable",
    "easy": "initial pass@1 from which\na prompt is easy",
    "n": "samples a prompt (N)",
}


def sensitivity_data(material: Material) -> Data | None:
    rows = material.summary.classify.get("sensitivity", [])
    return columns([{"varied": r["varied"], "value": r["value"], "hard": r["hard"], **{g: r[g] for g in HARD}}
                    for r in rows if r["hard"]])  # fmt: skip


def sensitivity_caption(material: Material, data: Data) -> Sentence:
    shares = [share for share, name in zip(data["unlearnable"], data["varied"], strict=True) if name == "tau"]
    return (
        "Shares of the hard prompts while one threshold moves and the others stay. Over the values of τ shown, the "
        "unlearnable are between {low:percent} and {high:percent}: the flatter the lines, the less hangs on it.",
        {"low": min(shares, default=None), "high": max(shares, default=None)},
    )


def draw_sensitivity(figure: Canvas, data: Data) -> None:
    varied = list(dict.fromkeys(data["varied"]))
    all_axes = figure.subplots(1, len(varied), sharey=True, squeeze=False)[0]
    for axes, name in zip(all_axes, varied, strict=True):
        chosen = [i for i, value in enumerate(data["varied"]) if value == name]
        x = [data["value"][i] for i in chosen]
        for group in HARD:
            y = [100 * data[group][i] for i in chosen]
            if any(data[group]):
                label = GROUP_NAMES[group] if axes is all_axes[0] else None
                axes.plot(x, y, "o-", color=GROUP_COLOURS[group], markersize=3.5, linewidth=1.5, label=label)
        if name == "n":
            axes.set_xscale("log", base=2)
            axes.set_xticks(x, [f"{value:g}" for value in x])
            axes.minorticks_off()
        else:
            axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(VARIED[name])
    all_axes[0].set_ylabel("share of the hard prompts (%)")
    all_axes[0].set_ylim(0, 100)
    figure.legend(loc="outside upper left", ncols=4)


SENSITIVITY = Figure(
    name="sensitivity",
    title="How much hangs on the thresholds",
    needs="openrlhf-unlearn classify RUN",
    data=sensitivity_data,
    caption=sensitivity_caption,
    draw=draw_sensitivity,
    size=(9.6, 3.6),
    wide=True,
)


# Is the forecast's risk what happened? Its calibration, never shown without its AUC -----------------------------------


def forecast_data(material: Material) -> Data | None:
    return columns(own_forecast(material).get("calibration", []))


def forecast_caption(material: Material, data: Data) -> Sentence:
    quality = own_forecast(material)
    low, high = quality["auc_interval"]
    simpler, numbers = beside(quality)
    return (
        "Risk of not being learned as forecast before training, against what happened, by fifths of the risk. "
        "Cross-validated AUC {auc:rate} ({low:rate} to {high:rate}), calibration error {error:rate}: on the diagonal "
        "the forecast can be taken at its word." + simpler,
        numbers | {"auc": quality["auc"], "low": low, "high": high, "error": quality["calibration_error"]},
    )


def draw_forecast(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    axes.plot([0, 100], [0, 100], color=SOFT, linewidth=0.9, linestyle="--", label="perfect calibration")
    axes.plot(
        [100 * v for v in data["forecast"]], [100 * v for v in data["happened"]], "o-", color="#0072B2",
        label="fifths of the hard prompts", clip_on=False,
    )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("forecast risk of not being learned (%)")
    axes.set_ylabel("not learned in fact (%)")
    axes.legend(loc="upper left")


FORECAST = Figure(
    name="forecast",
    title="The forecast's calibration",
    needs="openrlhf-unlearn forecast RUN",
    data=forecast_data,
    caption=forecast_caption,
    draw=draw_forecast,
)
