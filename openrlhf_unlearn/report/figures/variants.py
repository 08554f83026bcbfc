"""Do new problems pull where their original does? Cosine of original with variant (paper, section 5.3, Figure 10)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import forest, group_mean
from openrlhf_unlearn.store.probes import Variants
from openrlhf_unlearn.store.prompts import GROUPS

MEASURES = {
    "cosine": "with its own variants,\nplain",
    "cosine_corrected": "with its own variants,\ncorrected",
    "mean_cosine": "with all other prompts,\nplain",
}


def data(material) -> Data | None:
    """Each original counts once, with the mean over its variants."""
    probe, rows = material.probe, []
    if probe is None or not Variants.path(material.first, probe.name).exists():
        return None
    table = Variants.read(material.first, probe.name)
    place = table.places(material.ids)
    for measure in MEASURES:
        values = table.values(Variants.columns[measure]).astype(float)
        known = (place >= 0) & np.isfinite(values)
        originals, at = np.unique(place[known], return_inverse=True)
        means = np.bincount(at, weights=values[known]) / np.maximum(1, np.bincount(at))
        for group in GROUPS:
            if found := group_mean(means[material.groups[originals] == group]):
                rows.append({"measure": measure, "group": group, **found})
    return columns(rows)


def caption(material, data: Data):
    rows = {(row["measure"], row["group"]): row for row in records(data)}
    text = (
        "Cosine of the gradient of each original prompt with those of the problems made from it, mean over originals "
        "with 95 % intervals. If it is no higher than with all other prompts, training on the new problems moves the "
        "policy elsewhere than the original needs."
    )
    own, all_others = rows.get(("cosine", "unlearnable")), rows.get(("mean_cosine", "unlearnable"))
    if not own or not all_others:
        return text, {}
    return (
        text + " For the unlearnable it is {own:rate} against {all:rate}.",
        {"own": own["mean"], "all": all_others["mean"]},
    )


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    forest(axes, records(data), MEASURES)
    axes.set_xlabel("cosine")
    figure.legend(loc="outside upper left", ncols=4)


FIGURE = Figure(
    name="variants",
    title="Originals and their variants by gradient",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial --variants FILE",
    data=data,
    caption=caption,
    draw=draw,
    paper="10",
)
