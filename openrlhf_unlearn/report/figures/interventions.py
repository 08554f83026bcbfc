"""What was tried: new problems beside their originals, and runs that are set side by side (`--compare`)."""

from pathlib import Path

import numpy as np

from openrlhf_unlearn.report.figures.base import Canvas, Data, Figure, columns, records
from openrlhf_unlearn.report.figures.curves import curve, plot_band, reward_axis, reward_curves, windows
from openrlhf_unlearn.report.figures.marks import bars, forest, group_mean
from openrlhf_unlearn.report.interventions import comparison, names
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES, INK, RUN_COLOURS, SOFT
from openrlhf_unlearn.store.probes import Variants
from openrlhf_unlearn.store.prompts import GROUPS

# Do new problems help? Reward over training of originals and of what was made from them (paper, Figures 8, 9, 14) -----

SOURCES = {"original": "original", "similar": "similar problems", "subproblems": "sub-problems"}
SOURCE_COLOURS = {"original": "#D55E00", "similar": "#0072B2", "subproblems": "#009E73"}


def augmentation_data(material: Material) -> Data | None:
    """Runs whose data is one of augment's mixtures: its `datasource` names the kind of each prompt."""
    visits = material.visits
    kind = np.array(material.prompts.datasource, dtype=object)[visits.row]
    if not np.isin(kind, ("similar", "subproblems")).any():
        return None
    window, rows = windows(visits.step), []
    for name in SOURCES:
        points = curve(kind == name, visits.step, window, visits.row, visits.pass_rate, rates=True)
        rows += [{"kind": name, **point} for point in points]
    return columns(rows)


def augmentation_caption(material: Material, data: Data) -> Sentence:
    text = (
        "Share of rollouts correct as sampled, of the original prompts and of the problems made from them; bands are "
        "95 % intervals over prompts. "
        "Bands of the originals that stay level while the new problems rise show no carrying over."
    )
    mine = [row["mean"] for row in records(data) if row["kind"] == "original"]
    if not mine:
        return text, {}
    return text + " The originals went from {first:rate} to {last:rate}.", {"first": mine[0], "last": mine[-1]}


def draw_augmentation(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    rows = records(data)
    for name in dict.fromkeys(data["kind"]):
        mine = [row for row in rows if row["kind"] == name]
        plot_band(axes, mine, "mean", SOURCE_COLOURS[name], SOURCES[name])
    reward_axis(axes)
    figure.legend(loc="outside upper left", ncols=3)


AUGMENTATION = Figure(
    name="augmentation",
    title="Originals and new problems",
    needs="a run on a mixture of `openrlhf-unlearn augment`",
    data=augmentation_data,
    caption=augmentation_caption,
    draw=draw_augmentation,
    paper="8, 9, 14",
)


# Do new problems pull where their original does? Cosine of original with variant (paper, section 5.3, Figure 10) ------

_VARIANT_COSINES = {
    Variants.cosine: "with its own variants,\nplain",
    Variants.cosine_corrected: "with its own variants,\ncorrected",
    Variants.mean_cosine: "with all other prompts,\nplain",
}
VARIANT_COSINES = {column.name: words for column, words in _VARIANT_COSINES.items()}


def variants_data(material: Material) -> Data | None:
    """Each original counts once, with the mean over its variants."""
    probe, rows = material.probe, []
    if probe is None or not Variants.path(material.first, probe.name).exists():
        return None
    table = Variants.read(material.first, probe.name)
    place = table.places(material.ids)
    for column in _VARIANT_COSINES:
        values = table.values(column).astype(float)
        known = (place >= 0) & np.isfinite(values)
        originals, at = np.unique(place[known], return_inverse=True)
        means = np.bincount(at, weights=values[known]) / np.maximum(1, np.bincount(at))
        for group in GROUPS:
            if found := group_mean(means[material.groups[originals] == group]):
                rows.append({"measure": column.name, "group": group, **found})
    return columns(rows)


def variants_caption(material: Material, data: Data) -> Sentence:
    rows = {(row["measure"], row["group"]): row for row in records(data)}
    text = (
        "Cosine of the gradient of each original prompt with those of the problems made from it, mean over originals "
        "with 95 % intervals over these. If it is no higher than with all other prompts, the new problems pull no more "
        "where the original does than any prompt."
    )
    own, all_others = (rows.get((column.name, "unlearnable")) for column in (Variants.cosine, Variants.mean_cosine))
    if not own or not all_others:
        return text, {}
    return (
        text + " For the unlearnable it is {own:rate} against {all:rate}.",
        {"own": own["mean"], "all": all_others["mean"]},
    )


def draw_variants(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    forest(axes, records(data), VARIANT_COSINES)
    axes.set_xlabel("cosine")
    figure.legend(loc="outside upper left", ncols=4)


VARIANTS = Figure(
    name="variants",
    title="Originals and their variants by gradient",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial --variants FILE",
    data=variants_data,
    caption=variants_caption,
    draw=draw_variants,
    paper="10",
)


# Reward of each group over training under several interventions (paper, Figures 2, 5 and 15b) -------------------------

RUN_STYLES = ("-", "--", "-.", ":")


def compared_rewards_data(material: Material) -> Data | None:
    if not material.compared:
        return None
    rows = []
    for name, single in zip(names(material), material.interventions, strict=True):
        rows += [{"run": name, **row} for row in reward_curves(single.visits, material.curve_groups)]
    return columns(rows)


def compared_rewards_caption(material: Material, data: Data) -> Sentence:
    return (
        "Share of rollouts correct as sampled, of the first run's groups in {runs:count} runs; bands are 95 % "
        "intervals over prompts. An intervention that teaches the unlearnable lifts its line in their panel.",
        {"runs": len(set(data["run"]))},
    )


def draw_compared_rewards(figure: Canvas, data: Data) -> None:
    groups = list(dict.fromkeys(data["group"]))[:4]
    runs = list(dict.fromkeys(data["run"]))
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    rows = records(data)
    named = set()  # a run may have trained on some groups alone, so its name may come with any panel
    for axes, group in zip(panels, groups, strict=True):
        for i, run in enumerate(runs):
            mine = [row for row in rows if row["group"] == group and row["run"] == run]
            if mine:
                label = None if run in named else run
                named.add(run)
                plot_band(
                    axes, mine, "pass_rate", RUN_COLOURS[i % len(RUN_COLOURS)], label, RUN_STYLES[i % len(RUN_STYLES)]
                )
        reward_axis(axes)
        axes.set_title(GROUP_NAMES[group], fontsize=9)
        if axes is not panels[0]:
            axes.set_ylabel("")
    figure.legend(loc="outside upper left", ncols=min(3, len(runs)))


COMPARED_REWARDS = Figure(
    name="compared_rewards",
    title="Interventions: reward by group",
    needs="several runs: openrlhf-unlearn analyze RUN_A RUN_B --compare",
    data=compared_rewards_data,
    caption=compared_rewards_caption,
    draw=draw_compared_rewards,
    paper="2, 5, 15b",
    size=(9.6, 3.6),
    wide=True,
)


# How each intervention changed final pass@1 of the first run's groups: paired differences with intervals --------------


def compared_pass_rates_data(material: Material) -> Data | None:
    if not material.compared:
        return None
    rows = []
    for row in comparison(material)["rows"]:
        if row["difference"] is not None:
            low, high = row["difference_interval"] or (None, None)
            kept = {name: row[name] for name in ("group", "run", "prompts", "pass_rate", "difference")}
            rows.append({**kept, "low": low, "high": high})
    return columns(rows)


def compared_pass_rates_caption(material: Material, data: Data) -> Sentence:
    found = zip(data["group"], data["low"], data["run"], strict=True)
    better = {run for group, low, run in found if group == "unlearnable" and low is not None and low > 0}
    return (
        "Final pass@1 minus that of the first run on the same prompts, with 95 % intervals of the paired differences. "
        "For {better:count} of {runs:count} {runs:intervention|interventions} the interval of the unlearnable lies "
        "above zero. The first run's own samples chose the groups, which by itself lifts its unlearnable and lowers "
        "its learnable in every other run: compare with a repetition of the first before believing a small one.",
        {"better": len(better), "runs": len(set(data["run"]))},
    )


def draw_compared_pass_rates(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    rows = records(data)
    groups, runs = list(dict.fromkeys(data["group"])), list(dict.fromkeys(data["run"]))
    for i, run in enumerate(runs):
        mine = [row for row in rows if row["run"] == run]
        y = [len(groups) - groups.index(row["group"]) - (i - (len(runs) - 1) / 2) * 0.16 for row in mine]
        middle = [row["difference"] for row in mine]
        error = bars([{**row, "mean": row["difference"]} for row in mine])
        colour = RUN_COLOURS[(i + 1) % len(RUN_COLOURS)]
        axes.errorbar(middle, y, xerr=error, fmt="o", color=colour, markersize=4.5, capsize=2.5, label=run)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(groups), 0, -1), [GROUP_NAMES[group] for group in groups])
    axes.set_ylim(0.4, len(groups) + 0.6)
    axes.set_xlabel("difference of final pass@1 to the first run")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=min(2, len(runs)))


COMPARED_PASS_RATES = Figure(
    name="compared_pass_rates",
    title="Interventions: what changed",
    needs="several evaluated runs: openrlhf-unlearn analyze RUN_A RUN_B --compare",
    data=compared_pass_rates_data,
    caption=compared_pass_rates_caption,
    draw=draw_compared_pass_rates,
)


# A curriculum's stages one after the other, each run from the model of the one before (paper, Figure 18) --------------


def chain(material: Material) -> list[Material]:
    """The longest chain of compared runs in which each trains on from the model that the one before wrote."""
    links = [(single, *_models_of(single)) for single in material.interventions]
    longest: list[tuple[Material, str, str]] = []
    for start in links:
        found = [start]
        while following := next((x for x in links if x not in found and x[1] and x[1] == found[-1][2]), None):
            found.append(following)
        longest = max(longest, found, key=len)
    return [single for single, *_ in longest] if len(longest) > 1 else []


def _models_of(single: Material) -> tuple[str, str]:
    """(model that training started from, model that it wrote), "" where run.json does not say."""
    names = single.config.flag("actor.model_name_or_path"), single.config.flag("ckpt.output_dir")
    before, after = (str(Path(name)) if name else "" for name in names)
    return before, after


def stages_data(material: Material) -> Data | None:
    rows, done = [], 0.0
    for stage, single in enumerate(chain(material), 1):
        curves = reward_curves(single.visits, material.curve_groups)
        rows += [{"stage": stage, **row, "step": done + row["step"]} for row in curves]
        done = max([done, *(float(done + step) for step in single.visits.step[-1:])])
    return columns(rows)


def stages_caption(material: Material, data: Data) -> Sentence:
    last = [row for row in records(data) if row["group"] == "unlearnable"]
    text = (
        "Share of rollouts correct as sampled, in {stages:count} stages, each from the model of the one before; dashes "
        "mark where one ends. Groups are those of the first run; bands are 95 % intervals over prompts."
    )
    numbers = {"stages": len(set(data["stage"]))}
    if not last:
        return text, numbers
    return text + " In the last stage the unlearnable end at {end:rate}.", numbers | {"end": last[-1]["pass_rate"]}


def draw_stages(figure: Canvas, data: Data) -> None:
    axes, rows, seen = figure.subplots(), records(data), set()
    for stage in dict.fromkeys(data["stage"]):
        here = [row for row in rows if row["stage"] == stage]
        for group in dict.fromkeys(row["group"] for row in here):
            mine = [row for row in here if row["group"] == group]
            plot_band(axes, mine, "pass_rate", GROUP_COLOURS[group], None if group in seen else GROUP_NAMES[group])
            seen.add(group)
        if stage > 1:
            axes.axvline(min(row["step"] for row in here) - 0.5, color=SOFT, linewidth=1, linestyle="--")
    reward_axis(axes)
    axes.set_xlabel("training step, all stages")
    figure.legend(loc="outside upper left", ncols=4)


COMPARED_STAGES = Figure(
    name="compared_stages",
    title="Interventions: stages of a curriculum",
    needs="openrlhf-unlearn analyze RUN STAGE_1 STAGE_2 --compare",
    data=stages_data,
    caption=stages_caption,
    draw=draw_stages,
    paper="18",
    size=(9.6, 3.6),
    wide=True,
)
