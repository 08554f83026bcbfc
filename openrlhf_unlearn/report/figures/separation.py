"""Is it only that unlearnable prompts have fewer correct rollouts? How well similarity tells them, at equal numbers."""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import bars
from openrlhf_unlearn.report.palette import INK

NAMES = {"plain": "plain cosine,\nall rollouts", "corrected": "corrected cosine,\nall rollouts"}


def data(material) -> Data | None:
    found = material.probe.numbers.get("separation") if material.probe else None
    rows = [{"cosine": kind, "rollouts": None, **found[kind]} for kind in NAMES if (found or {}).get(kind)]
    rows += [{"cosine": "plain", **entry} for entry in (found or {}).get("equal") or ()]
    kept = ("cosine", "rollouts", "auc", "low", "high")
    counts = [dict(zip(("unlearnable", "learnable"), row["prompts"], strict=True)) for row in rows]
    return columns([{name: row[name] for name in kept} | n for row, n in zip(rows, counts, strict=True)])


def caption(material, data: Data):
    equal = [row for row in records(data) if row["rollouts"]]
    text = (
        "Probability that of a random pair the learnable prompt has the higher mean cosine (area under the ROC curve), "
        "with 95 % intervals over prompts; a half is no better than a coin."
    )
    if not equal:
        return text, {}
    last = equal[-1]
    verdict = (
        "so it is not the number of rollouts" if last["low"] > 0.5 else "so the number of rollouts may be all of it"
    )
    return (
        text
        + " With {rollouts:count} correct rollouts drawn of every prompt it is {auc:rate} ({low:rate} to {high:rate})"
        f": {verdict}.",
        {name: last[name] for name in ("rollouts", "auc", "low", "high")},
    )


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    rows = [{**row, "mean": row["auc"]} for row in records(data)]
    names = [NAMES[r["cosine"]] if r["rollouts"] is None else f"plain, {r['rollouts']} of each" for r in rows]
    place = range(len(rows) - 1, -1, -1)
    axes.errorbar(data["auc"], list(place), xerr=bars(rows), fmt="o", color="#0072B2", markersize=5, capsize=3)
    axes.axvline(0.5, color=INK, linewidth=0.8, linestyle="--")
    axes.set_yticks(list(place), names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(min(0.4, *data["low"]) - 0.02, 1.02)
    axes.set_xlabel("area under the ROC curve (probability)")
    axes.grid(axis="y", visible=False)


FIGURE = Figure(
    name="separation",
    title="Outliers, or only few rollouts?",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=data,
    caption=caption,
    draw=draw,
)
