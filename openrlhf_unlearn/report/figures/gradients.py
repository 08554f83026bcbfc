"""What gradients tell besides: whom they set apart, in which directions they lie, who disturbs and who teaches whom."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Axes, Canvas, Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import bars, forest, group_mean
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES, INK
from openrlhf_unlearn.report.probes import at_equal_numbers
from openrlhf_unlearn.store.probes import Interference, TransferMap
from openrlhf_unlearn.store.prompts import GROUPS
from openrlhf_unlearn.store.run_dir import RunDir, read_object

# Is it only that unlearnable prompts have fewer correct rollouts? How well similarity tells them, at equal numbers ----

KINDS = {"plain": "plain cosine,\nall rollouts", "corrected": "corrected cosine,\nall rollouts"}


def separation_data(material: Material) -> Data | None:
    found = (material.probe.numbers.get("separation") if material.probe else None) or {}
    rows = [{"cosine": kind, "rollouts": None, **found[kind]} for kind in KINDS if found.get(kind)]
    rows += [{"cosine": "plain", **entry} for entry in found.get("equal") or ()]
    kept = ("cosine", "rollouts", "auc", "low", "high")
    counts = [dict(zip(("unlearnable", "learnable"), row["prompts"], strict=True)) for row in rows]
    return columns([{name: row[name] for name in kept} | n for row, n in zip(rows, counts, strict=True)])


def separation_caption(material: Material, data: Data) -> Sentence:
    text = (
        "Probability that of a random pair the learnable prompt has the higher mean cosine (area under the ROC curve), "
        "with 95 % intervals over prompts; a half is no better than a coin."
    )
    equal = at_equal_numbers(material.probe) if material.probe else None
    if not equal:
        return text, {}
    text += " With {rollouts:count} correct rollouts drawn of every prompt it is {auc:rate} ({low:rate} to {high:rate})"
    whole = {row["cosine"]: row for row in records(data) if not row["rollouts"]}
    return text + _verdict(equal, **whole) + ".", {name: equal[name] for name in ("rollouts", "auc", "low", "high")}


def _verdict(equal: dict, plain: dict | None = None, corrected: dict | None = None) -> str:
    """What the areas say of the number of rollouts, which is nothing where nothing tells the groups apart."""
    if equal["low"] > 0.5:
        return ": so it is not the number of rollouts alone"
    told = plain and plain["low"] > 0.5
    if told and equal["high"] >= 0.5 and not (corrected and corrected["low"] > 0.5):
        return ": so the number of rollouts may be all of it"
    return ""


def draw_separation(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    rows = [{**row, "mean": row["auc"]} for row in records(data)]
    names = [KINDS[r["cosine"]] if r["rollouts"] is None else f"plain, {r['rollouts']} of each" for r in rows]
    place = range(len(rows) - 1, -1, -1)
    axes.errorbar(data["auc"], list(place), xerr=bars(rows), fmt="o", color="#0072B2", markersize=5, capsize=3)
    axes.axvline(0.5, color=INK, linewidth=0.8, linestyle="--")
    axes.set_yticks(list(place), names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(min([0.4, *(low for low in data["low"] if low is not None)]) - 0.02, 1.02)
    axes.set_xlabel("area under the ROC curve (probability)")
    axes.grid(axis="y", visible=False)


SEPARATION = Figure(
    name="separation",
    title="Outliers, or only few rollouts?",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=separation_data,
    caption=separation_caption,
    draw=draw_separation,
)


# Is there a low-dimensional subspace that the outliers miss? Spectrum of each group's gradients, and what it holds ----


def spectrum_data(material: Material) -> Data | None:
    numbers = material.probe.numbers if material.probe else {}
    spectra, captured, rows = numbers.get("spectrum") or {}, numbers.get("captured") or {}, []
    for group in (group for group in GROUPS if group in spectra):
        inside = captured.get(group) or dict.fromkeys(("share", "low", "high"))
        about = {"prompts": spectra[group]["prompts"], "effective_rank": spectra[group]["effective_rank"]}
        about |= {"captured": inside["share"], "captured_low": inside["low"], "captured_high": inside["high"]}
        shares = spectra[group]["shares"]
        rows += [{"group": group, "direction": i, "share": s, **about} for i, s in enumerate(shares, 1)]
    return columns(rows)


def spectrum_caption(material: Material, data: Data) -> Sentence:
    first = {row["group"]: row for row in records(data) if row["direction"] == 1}
    text = (
        "Share of the squared length of each group's gradients along its own first directions, as many prompts "
        "of each; the steeper, the more a group learns along few directions."
    )
    numbers = {}
    if any(row["captured"] is not None for row in first.values()):
        text += " On the right, the share of each group's gradients inside the first directions of the easy and "
        text += "learnable ones', over what these have there themselves, with 95 % intervals."
    for group in ("learnable", "unlearnable"):
        if group in first:
            numbers[group] = first[group]["effective_rank"]
            text += f" Effective rank of the {group}: {{{group}:small}}."
    return text, numbers


def draw_spectrum(figure: Canvas, data: Data) -> None:
    rows = records(data)
    first = [row for row in rows if row["direction"] == 1]
    known = [row for row in first if row["captured"] is not None]
    panels = figure.subplots(1, 2 if known else 1, squeeze=False)[0]
    for row in first:
        mine = [r for r in rows if r["group"] == row["group"]]
        label = f"{GROUP_NAMES[row['group']]} (effective rank {row['effective_rank']:.1f})"
        x, y = [r["direction"] for r in mine], [100 * r["share"] for r in mine]
        panels[0].plot(x, y, "o-", color=GROUP_COLOURS[row["group"]], markersize=3.5, linewidth=1.6, label=label)
    panels[0].set_xlabel("direction, by size")
    panels[0].set_ylabel("share of squared length (%)")
    panels[0].set_ylim(bottom=0)
    panels[0].xaxis.get_major_locator().set_params(integer=True)
    if known:
        _captured(panels[1], known)
    figure.legend(loc="outside upper left", ncols=3)


def _captured(axes: Axes, rows: list[dict]) -> None:
    shown = [
        {
            name: 100 * row[key]
            for name, key in (("mean", "captured"), ("low", "captured_low"), ("high", "captured_high"))
        }
        for row in rows
    ]
    place = list(range(len(rows)))[::-1]
    for y, row, values in zip(place, rows, shown, strict=True):
        axes.errorbar(
            values["mean"], y, xerr=bars([values]), fmt="o", color=GROUP_COLOURS[row["group"]], capsize=3, markersize=5
        )
    axes.set_yticks(place, [GROUP_NAMES[row["group"]] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("share inside the easy and learnable ones' subspace (%)")
    axes.set_xlim(left=min(0, *(values["low"] for values in shown)))
    axes.grid(axis="y", visible=False)


SPECTRUM = Figure(
    name="spectrum",
    title="The directions that gradients lie in",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=spectrum_data,
    caption=spectrum_caption,
    draw=draw_spectrum,
    size=(9.6, 3.6),
    wide=True,
)


# Do correct rollouts pull where incorrect ones push, and where the batch pulls? (paper, A.3, Figure 16) ---------------

_PULLS = {
    Interference.within: "correct with incorrect,\nplain",
    Interference.within_corrected: "correct with incorrect,\ncorrected",
    Interference.correct_batch: "correct with the batch",
    Interference.incorrect_batch: "incorrect with the batch",
}
PULLS = {column.name: words for column, words in _PULLS.items()}


def interference_data(material: Material) -> Data | None:
    probe, rows = material.probe, []
    if probe is None or not Interference.path(material.first, probe.name).exists():
        return None
    table = Interference.read(material.first, probe.name)
    for column in _PULLS:
        values = material.aligned(table, column)
        for group in GROUPS:
            if found := group_mean(values[material.groups == group]):
                rows.append({"measure": column.name, "group": group, **found})
    return columns(rows)


def interference_caption(material: Material, data: Data) -> Sentence:
    rows = {(row["measure"], row["group"]): row for row in records(data)}
    text = (
        "Mean cosine of the gradient of a prompt's correct rollouts with that of its incorrect ones, and of each with "
        "the GRPO gradient of all other prompts; bars are 95 % intervals over prompts. The "
        "more alike correct and incorrect ones are, the more raising the one raises the other."
    )
    for kind, column in (("Corrected", Interference.within_corrected), ("Plain", Interference.within)):
        if all((column.name, group) in rows for group in ("learnable", "unlearnable")):
            numbers = {group: rows[column.name, group]["mean"] for group in ("learnable", "unlearnable")}
            text += f" {kind}, it is {{unlearnable:rate}} for the unlearnable, {{learnable:rate}} for the learnable."
            return text, numbers
    return text, {}


def draw_interference(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    forest(axes, records(data), PULLS)
    bound = max([0.05, *(abs(v) for v in (*data["mean"], *data["low"], *data["high"]) if v is not None)])
    axes.set_xlim(-1.08 * bound, 1.08 * bound)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("mean cosine")
    figure.legend(loc="outside upper left", ncols=4)


INTERFERENCE = Figure(
    name="interference",
    title="Interference of rollouts",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=interference_data,
    caption=interference_caption,
    draw=draw_interference,
    paper="16",
    size=(5.2, 3.9),
)


# What training on each cluster does to every other, predicted by gradients (openrlhf-unlearn transfer) ----------------

MOST_CLUSTERS = 14  # clusters, beyond which a map cannot be read


def newest_map(run: RunDir) -> str | None:
    """The probe whose map is shown: `initial`, else the last by name; None without a map."""
    names = [tag for tag in run.probe_tags() if run.transfer_json(tag).exists() and run.transfer_table(tag).exists()]
    return "initial" if "initial" in names else (names or [None])[-1]


def transfer_sentences(run: RunDir) -> list[str]:
    """What the map and its check say, sentence by sentence, as `transfer` wrote it; empty without one."""
    name = newest_map(run)
    return read_object(run.transfer_json(name))["sentences"] if name else []


def transfer_data(material: Material) -> Data | None:
    name = newest_map(material.first)
    if name is None or not material.first.transfer_table(name).exists():
        return None
    wanted = (
        TransferMap.trained, TransferMap.changed, TransferMap.value, TransferMap.low, TransferMap.high,
        TransferMap.told, TransferMap.measured, TransferMap.prompts_trained,
    )  # fmt: skip
    rows = TransferMap.read(material.first, name, *wanted).rows()
    sizes = {row.trained: row.prompts_trained or 0 for row in rows}
    shown = sorted(sizes, key=lambda cluster: -sizes[cluster])[:MOST_CLUSTERS]
    kept = [row._asdict() for row in rows if row.trained in shown and row.changed in shown]
    return columns(kept) if len(shown) > 1 else None


def transfer_caption(material: Material, data: Data) -> Sentence:
    about = read_object(material.first.transfer_json(newest_map(material.first) or ""))
    shown, every = len(set(data["trained"])), len(about["clusters"])
    text = f"The {shown} largest of {every} clusters. " if shown < every else ""
    if about["settings"].get("objective") == "grpo":
        text += "Training is by GRPO. "
    if not about.get("exact", True):
        text += "Gradients are sketches; the test against 0 allows for their error. "
    text += (
        "Predicted change of the log-likelihood a token of correct rollouts, per unit of training: rows train, columns "
        "change, the diagonal is a cluster's effect on its own other prompts. Blue rises, red falls; a dot marks what "
        "differs significantly from 0 (false discovery rate 5 %). "
    )
    return text + " ".join(transfer_sentences(material.first)).replace("{", "{{").replace("}", "}}"), {}


def draw_transfer(figure: Canvas, data: Data) -> None:
    names = sorted(set(data["trained"]))
    place = {name: i for i, name in enumerate(names)}
    matrix, told = np.full((len(names), len(names)), np.nan), []
    for trained, changed, value, sure in zip(
        *(data[key] for key in ("trained", "changed", "value", "told")), strict=True
    ):
        matrix[place[trained], place[changed]] = value
        if sure:
            told.append((place[changed], place[trained]))
    axes = figure.subplots()
    bound = np.nanmax(np.abs(matrix)) or 1.0
    image = axes.imshow(matrix, cmap="RdBu", vmin=-bound, vmax=bound)
    if told:
        axes.plot(*zip(*told, strict=True), "o", color="black", markersize=3)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("changes")
    axes.set_ylabel("trains")
    axes.grid(False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="nats a token, per unit")


TRANSFER = Figure(
    name="transfer",
    title="What teaches what",
    needs="openrlhf-unlearn transfer RUN",
    data=transfer_data,
    caption=transfer_caption,
    draw=draw_transfer,
    size=(5.2, 4.2),
)
