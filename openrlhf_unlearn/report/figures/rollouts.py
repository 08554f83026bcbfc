"""What is known of single rollouts: the grader's verdicts, their likelihood, and the reasoning of correct ones."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Axes, Canvas, Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import curve, plot_band, windows
from openrlhf_unlearn.report.figures.marks import group_lines, group_mean
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES
from openrlhf_unlearn.report.reasoning import prompt_scores, rollout_scores
from openrlhf_unlearn.store.prompts import GROUPS
from openrlhf_unlearn.store.run_dir import VERDICTS
from openrlhf_unlearn.store.training import Likelihood

# What the grader said of the last evaluation's samples, by group: did the model fail, or the verifier? ----------------

VERDICT_COLOURS = {
    "correct": "#009E73",
    "wrong": "#c3c9d0",
    "no_answer": "#56B4E9",
    "timeout": "#E69F00",
    "error": "#CC79A7",
    "bad_label": "#D55E00",
}


def verdicts_data(material: Material) -> Data | None:
    """Of the last evaluation in which outcomes did not decide how often a prompt was sampled."""
    tallies = {tag: tally for tag in material.tags if (tally := material.tally(tag)) is not None}
    sampled = {tag: tally for tag, tally in tallies.items() if tally.n.any() and not tally.adaptive}
    if not sampled:
        return None
    tag, tally = sampled.popitem()
    rows = []
    for group in GROUPS:
        mine = material.groups == group
        for verdict in VERDICTS:
            samples = int(tally.verdicts[verdict][mine].sum()) if verdict in tally.verdicts else 0
            if samples:
                rows.append({"evaluation": tag, "group": group, "verdict": verdict, "samples": samples})
    return columns(rows)


def verdicts_caption(material: Material, data: Data) -> Sentence:
    silent = sum(n for n, v in zip(data["samples"], data["verdict"], strict=True) if v == "no_answer")
    broken = sum(n for n, v in zip(data["samples"], data["verdict"], strict=True) if v in ("timeout", "error"))
    return (
        "Verdicts on the samples of the {tag} evaluation. {silent:count} had no answer to grade and {broken:count} "
        "could not be graded in time or at all; where these are many, fix format or verifier first.",
        {"tag": data["evaluation"][0], "silent": silent, "broken": broken},
    )


def draw_verdicts(figure: Canvas, data: Data) -> None:
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
        axes.barh(place[group], share, left=left[group], color=VERDICT_COLOURS[verdict], height=0.62, label=label)
        left[group] += share
    axes.set_yticks(list(place.values()), [GROUP_NAMES[group] for group in place])
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the group's samples (%)")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", ncols=3)


VERDICTS_BY_GROUP = Figure(
    name="verdicts",
    title="What the grader said",
    needs="an evaluation with a fixed number of samples: openrlhf-unlearn evaluate",
    data=verdicts_data,
    caption=verdicts_caption,
    draw=draw_verdicts,
)


# How likely correct rollouts were to the reference model and to the policy (paper, Figure 3) --------------------------

MODELS = {"reference": "under the reference model", "policy": "under the policy"}


def likelihood_data(material: Material) -> Data | None:
    table, places = material.steps_of(Likelihood)
    steps, groups = table.step, material.groups[places]
    window, rows = windows(steps), []
    for model, values in zip(MODELS, (table.reference_log_likelihood, table.policy_log_likelihood), strict=True):
        for group in GROUPS:
            points = curve(groups == group, steps, window, places, values)
            rows += [{"model": model, "group": group, **point} for point in points]
    return columns(rows)


def likelihood_caption(material: Material, data: Data) -> Sentence:
    text = (
        "Mean log-likelihood a token of correct rollouts, by group; bands are 95 % intervals over prompts. The "
        "lower, the less likely the model finds what was rewarded."
    )
    means = {group: _mean_likelihood(data, group) for group in ("learnable", "unlearnable")}
    if None in means.values():
        return text, {}
    return (
        text + " Under the reference: {learnable:rate} nats for the learnable, {unlearnable:rate} for the unlearnable.",
        means,
    )


def _mean_likelihood(data: Data, group: str) -> float | None:
    """Over all prompts and steps, under the reference."""
    mine = [row for row in records(data) if row["group"] == group and row["model"] == "reference"]
    total = sum(row["prompts"] for row in mine)
    return sum(row["mean"] * row["prompts"] for row in mine) / total if total else None


def draw_likelihood(figure: Canvas, data: Data) -> None:
    models = list(dict.fromkeys(data["model"]))
    panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
    rows, seen = records(data), set()
    for axes, model in zip(panels, models, strict=True):
        for group in dict.fromkeys(data["group"]):
            mine = [row for row in rows if row["model"] == model and row["group"] == group]
            if mine:
                plot_band(axes, mine, "mean", GROUP_COLOURS[group], None if group in seen else GROUP_NAMES[group])
                seen.add(group)
        axes.set_title(MODELS[model], fontsize=9)
        axes.set_xlabel("training step")
    panels[0].set_ylabel("log-likelihood (nats a token)")
    figure.legend(loc="outside upper left", ncols=4)


LIKELIHOOD = Figure(
    name="likelihood",
    title="Likelihood of correct rollouts",
    needs="likelihood/ of a training run with a reference model",
    data=likelihood_data,
    caption=likelihood_caption,
    draw=draw_likelihood,
    paper="3",
    size=(9.6, 3.6),
    wide=True,
)


# How good the reasoning of correct rollouts is, judged from 0 to 5 (paper, Figures 1d and 7) --------------------------

SCORES = range(6)
SCORE_COLOURS = ("#D55E00", "#E69F00", "#dcc57a", "#c3c9d0", "#56B4E9", "#0072B2")  # of a score, from 0 to 5


def reasoning_data(material: Material) -> Data | None:
    rows = []
    for tag in material.judgements:
        row, score = rollout_scores(material, tag)
        by_prompt = prompt_scores(material, tag)
        for group in GROUPS:
            mine = score[material.groups[row] == group]
            if found := group_mean(by_prompt[material.groups == group]):
                counts = np.bincount(np.rint(mine).astype(int), minlength=6)
                shares = {f"share_{i}": float(counts[i] / len(mine)) for i in SCORES}
                rows.append({"evaluation": tag, "group": group, "rollouts": len(mine), **found, **shares})
    return columns(rows)


def reasoning_caption(material: Material, data: Data) -> Sentence:
    text = (
        "Judged quality of the reasoning that led to correct answers: mean over prompts with 95 % intervals, and the "
        "share of rollouts with each score. A right answer by poor reasoning is rewarded all the same."
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


def draw_reasoning(figure: Canvas, data: Data) -> None:
    left, right = figure.subplots(1, 2)
    rows = records(data)
    group_lines(left, rows, "evaluation")
    left.set_ylim(-0.1, 5.1)
    left.set_xlabel("evaluation")
    left.set_ylabel("reasoning quality (0 to 5)")
    _score_shares(right, [row for row in rows if row["evaluation"] == data["evaluation"][0]])
    for axes in (left, right):
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, borderaxespad=0)


def _score_shares(axes: Axes, rows: list[dict]) -> None:
    place, start = np.arange(len(rows))[::-1], np.zeros(len(rows))
    for score in SCORES:
        share = 100 * np.array([row[f"share_{score}"] for row in rows])
        axes.barh(place, share, left=start, color=SCORE_COLOURS[score], label=f"score {score}", height=0.62)
        start += share
    axes.set_yticks(place, [GROUP_NAMES[row["group"]] for row in rows])
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"share of the rollouts at {rows[0]['evaluation']} (%)")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


REASONING = Figure(
    name="reasoning",
    title="Quality of reasoning",
    needs="openrlhf-unlearn judge RUN --tag initial --model JUDGE",
    data=reasoning_data,
    caption=reasoning_caption,
    draw=draw_reasoning,
    paper="1d, 7",
    size=(9.6, 3.6),
    wide=True,
)
