"""Do correct rollouts pull where incorrect ones push, and where the batch pulls? (paper, A.3, Figure 16)"""

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import forest, group_mean
from openrlhf_unlearn.store.probes import Interference
from openrlhf_unlearn.store.prompts import GROUPS

MEASURES = {
    "within": "correct with incorrect,\nplain",
    "within_corrected": "correct with incorrect,\ncorrected",
    "correct_batch": "correct with the batch",
    "incorrect_batch": "incorrect with the batch",
}


def data(material) -> Data | None:
    probe, rows = material.probe, []
    if probe is None or not Interference.path(material.first, probe.name).exists():
        return None
    table = Interference.read(material.first, probe.name)
    for measure in MEASURES:
        values = material.aligned(table, Interference.columns[measure])
        for group in GROUPS:
            if found := group_mean(values[material.groups == group]):
                rows.append({"measure": measure, "group": group, **found})
    return columns(rows)


def caption(material, data: Data):
    rows = {(row["measure"], row["group"]): row for row in records(data)}
    text = (
        "Mean cosine of the gradient of a prompt's correct rollouts with that of its incorrect ones, and of each with "
        "the GRPO gradient of all other prompts; bars are 95 % intervals over prompts. The "
        "more alike correct and incorrect ones are, the more raising the one raises the other."
    )
    for measure in ("within_corrected", "within"):
        if all((measure, group) in rows for group in ("learnable", "unlearnable")):
            numbers = {group: rows[measure, group]["mean"] for group in ("learnable", "unlearnable")}
            kind = "Corrected" if measure == "within_corrected" else "Plain"
            text += f" {kind}, it is {{unlearnable:rate}} for the unlearnable, {{learnable:rate}} for the learnable."
            return text, numbers
    return text, {}


def draw(figure, data: Data) -> None:
    axes = figure.subplots()
    forest(axes, records(data), MEASURES)
    bound = max(0.05, *(abs(v) for v in (*data["low"], *data["high"]) if v is not None))
    axes.set_xlim(-1.08 * bound, 1.08 * bound)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("mean cosine")
    figure.legend(loc="outside upper left", ncols=4)


FIGURE = Figure(
    name="interference",
    title="Interference of rollouts",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=data,
    caption=caption,
    draw=draw,
    paper="16",
    size=(5.2, 3.9),
)
