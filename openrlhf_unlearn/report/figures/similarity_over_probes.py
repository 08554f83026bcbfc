"""Similarity of each group to all prompts over several probes: checkpoints (paper, Figure 17), models (Figure 11)."""

from dataclasses import replace

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import group_lines, group_mean
from openrlhf_unlearn.store.run_dir import GROUPS


def over_training(material) -> Data | None:
    """One probe for each evaluation tag, other base models' apart."""
    others = material.summary.models
    by_tag = {probe.tag: probe for probe in reversed(list(material.probes.values())) if probe.name not in others}
    return _data(material, {tag: by_tag[tag] for tag in reversed(by_tag)})


def over_models(material) -> Data | None:
    """The probes of `openrlhf-unlearn models`, each model on its own rollouts of the same prompts; else of different
    models on the same rollouts, of the evaluation that most models were probed on."""
    names = [name for name in material.summary.models if name in material.probes]
    if len(names) > 1:
        return _data(material, {name: material.probes[name] for name in names})
    probes = list(material.probes.values())
    tags = {tag: {p.model: p for p in reversed(probes) if p.tag == tag} for tag in dict.fromkeys(p.tag for p in probes)}
    most = max(tags.values(), key=len, default={})
    return _data(material, {probe.name: probe for probe in reversed(most.values())})


def _data(material, probes: dict) -> Data | None:
    if len(probes) < 2:
        return None
    rows = []
    for kind in ("plain", "corrected"):
        for group in GROUPS:
            for place, probe in probes.items():
                found = probe.pooled(group) if kind == "corrected" else None
                found = found or group_mean(getattr(probe, kind)[material.groups == group])
                if found:
                    rows.append({"cosine": kind, "group": group, "probe": place, "model": probe.model, **found})
    return columns(rows)


def caption_training(material, data: Data):
    return (
        "Mean cosine of the groups' gradients to all prompts' at {probes:count} checkpoints, with 95 % intervals. Do "
        "the unlearnable stay apart, or come to lie with the others as training goes on?",
        {"probes": len(set(data["probe"]))},
    )


def caption_models(material, data: Data):
    text = (
        "The same prompts under {models:count} models. The gap between learnable and unlearnable is smallest under "
        "{closest:plain}, {gap:rate}; whether RL then learns the unlearnable is not seen here."
    )
    gaps = _gaps(records(data))
    if not gaps:
        return "The same prompts under {models:count} models.", {"models": len(set(data["probe"]))}
    closest = min(gaps, key=gaps.get)
    return text, {"models": len(set(data["probe"])), "closest": closest, "gap": gaps[closest]}


def _gaps(rows: list[dict]) -> dict[str, float]:
    """probe → corrected, else plain, mean of the learnable less that of the unlearnable."""
    mean = {(row["cosine"], row["group"], row["probe"]): row["mean"] for row in rows}
    for kind in ("corrected", "plain"):
        both = {
            probe: mean[kind, "learnable", probe] - mean[kind, "unlearnable", probe]
            for probe in {row["probe"] for row in rows}
            if (kind, "learnable", probe) in mean and (kind, "unlearnable", probe) in mean
        }
        if both:
            return both
    return {}


def draw(figure, data: Data, over: str) -> None:
    rows = records(data)
    kinds = list(dict.fromkeys(data["cosine"]))
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        group_lines(axes, [row for row in rows if row["cosine"] == kind], "probe", labelled=axes is panels[0])
        axes.set_title("plain cosine" if kind == "plain" else "without the noise of few rollouts", fontsize=9)
        axes.set_xlabel(over)
    panels[0].set_ylabel("mean cosine to all other prompts")
    bounds = [v for v in (*data["mean"], *data["low"], *data["high"]) if v is not None]
    low, high = min(0.0, *bounds), max(bounds)
    panels[0].set_ylim(low - 0.05 * (high - low), None)
    figure.legend(loc="outside upper left", ncols=4)


FIGURE = Figure(
    name="similarity_over_training",
    title="Similarity over training",
    needs="openrlhf-unlearn probe --model M0 M1 --tag initial final --run RUN",
    data=over_training,
    caption=caption_training,
    draw=lambda figure, data: draw(figure, data, "checkpoint"),
    paper="17",
    size=(9.6, 3.6),
    wide=True,
)
MODELS = replace(
    FIGURE,
    name="similarity_over_models",
    title="Similarity under other base models",
    needs="openrlhf-unlearn models RUN base=MODEL mid=MODEL",
    data=over_models,
    caption=caption_models,
    draw=lambda figure, data: draw(figure, data, "model"),
    paper="11",
)
