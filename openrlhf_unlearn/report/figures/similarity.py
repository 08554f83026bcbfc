"""How alike prompts' gradients are: by prompt, by group, pair by pair, and over checkpoints and models."""

from dataclasses import replace

import numpy as np

from openrlhf_unlearn.report.figures.base import Axes, Canvas, Data, Figure, columns, records
from openrlhf_unlearn.report.figures.marks import group_lines, group_mean
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES, INK
from openrlhf_unlearn.report.probes import Probe, choose_cosine
from openrlhf_unlearn.stats.means import apart
from openrlhf_unlearn.store.prompts import GROUPS

COSINES = {"plain": "plain cosine", "corrected": "without the noise of few rollouts"}
ON_CELLS = "#111111"  # stays in dark mode, as the cells do


# How alike prompts' gradients are: the distribution in each group, plain and corrected (paper, Figures 1c and 13) -----

BINS = 40


def similarity_data(material: Material) -> Data | None:
    probe = material.probe
    if probe is None:
        return None
    found = {kind: getattr(probe, kind) for kind in COSINES}
    finite = np.concatenate([values[np.isfinite(values)] for values in found.values()])
    if not len(finite):
        return None
    edges = np.linspace(*_range(finite), BINS + 1)
    rows = []
    for kind, values in found.items():
        for group in GROUPS:
            mine = values[(material.groups == group) & np.isfinite(values)]
            if len(mine):
                counts = np.histogram(np.clip(mine, edges[0], edges[-1]), edges)[0]
                told = {"prompts": len(mine), "mean": float(mine.mean()), "median": float(np.median(mine))}
                rows += [
                    {"cosine": kind, "group": group, "from": low, "to": high, "here": int(n), **told}
                    for low, high, n in zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=True)
                ]
    return columns(rows)


def _range(values: np.ndarray) -> tuple[float, float]:
    """All but the farthest half a percent at each end, which the outer bins hold."""
    low, high = np.quantile(values, (0.005, 0.995))
    margin = max(0.02, 0.08 * (high - low))
    return float(low - margin), float(high + margin)


def similarity_caption(material: Material, data: Data) -> Sentence:
    rows = {(row["cosine"], row["group"]): row for row in records(data)}
    text = (
        "Mean cosine of each prompt's gradient to all other prompts', by group; the mark is the group's mean. Few "
        "correct rollouts lower the plain cosine; the corrected one is of those prompts that have enough of them."
    )
    chosen = choose_cosine(material)
    if chosen is None:
        return text, {}
    kind, groups = chosen[0], ("learnable", "unlearnable")
    text += f" {kind.capitalize()}, the learnable are at {{learnable:rate}}, the unlearnable"
    text += " at {unlearnable:rate} ({prompts:count} prompts)."
    numbers = {group: rows[kind, group]["mean"] for group in groups}
    return text, numbers | {"prompts": rows[kind, "unlearnable"]["prompts"]}


def draw_similarity(figure: Canvas, data: Data) -> None:
    kinds = list(dict.fromkeys(data["cosine"]))
    groups = [group for group in GROUPS if group in data["group"]]
    panels = figure.subplots(1, len(kinds), sharex=True, sharey=True, squeeze=False)[0]
    rows = records(data)
    for axes, kind in zip(panels, kinds, strict=True):
        for i, group in enumerate(groups):
            mine = [row for row in rows if row["cosine"] == kind and row["group"] == group]
            if mine:
                _ridge(axes, mine, len(groups) - 1 - i, GROUP_COLOURS[group])
        axes.set_title(COSINES[kind], fontsize=9)
        axes.set_xlabel("mean cosine to all other prompts")
        axes.axvline(0, color=INK, linewidth=0.7, alpha=0.5)
        axes.grid(axis="y", visible=False)
    panels[0].set_yticks(range(len(groups) - 1, -1, -1), [GROUP_NAMES[group] for group in groups])
    panels[0].set_ylim(-0.15, len(groups) + 0.05)
    panels[0].set_ylabel("prompts (each group scaled to its peak)")


def _ridge(axes: Axes, rows: list[dict], base: float, colour: str) -> None:
    """A group's histogram standing on its own line, and its mean."""
    edges = [row["from"] for row in rows] + [rows[-1]["to"]]
    peak = max(row["here"] for row in rows)
    axes.stairs(
        [base + 0.85 * row["here"] / peak for row in rows], edges, baseline=base, color=colour, fill=True, alpha=0.35
    )
    axes.stairs([base + 0.85 * row["here"] / peak for row in rows], edges, baseline=base, color=colour, linewidth=1.2)
    right = rows[0]["mean"] < (edges[0] + edges[-1]) / 2  # the number stands where the group is not
    x, side = (edges[-1], "right") if right else (edges[0], "left")
    axes.text(x, base + 0.08, f"n = {rows[0]['prompts']:,}", ha=side, fontsize=8, color=colour)
    mean = min(max(rows[0]["mean"], edges[0]), edges[-1])
    axes.plot([mean, mean], [base, base + 0.92], color=colour, linewidth=2.2)


SIMILARITY = Figure(
    name="similarity",
    title="Similarity of gradients",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=similarity_data,
    caption=similarity_caption,
    draw=draw_similarity,
    paper="1c, 13",
    size=(9.6, 3.8),
    wide=True,
)


# Similarity of each pair of groups (paper, Figure 6), plain and corrected ---------------------------------------------


def similarity_groups_data(material: Material) -> Data | None:
    matrix = material.probe.numbers.get("group_matrix") if material.probe else None
    names = ("a", "b", "plain", "corrected", "low", "high")
    return columns([{name: row.get(name) for name in names} for row in matrix or () if row["a"] and row["b"]])


def similarity_groups_caption(material: Material, data: Data) -> Sentence:
    pair = {frozenset((row["a"], row["b"])): row for row in records(data)}
    text = (
        "Mean cosine between the gradients of one group's prompts and another's; on the diagonal, within a group. "
        "Few or noisy rollouts make a row paler on the left; on the right that is taken out."
    )
    own = pair.get(frozenset(("unlearnable",)))
    if own is None or own["corrected"] is None:
        return text, {}
    return (
        text + " Within the unlearnable it is {corrected:rate} ({low:rate} to {high:rate}), corrected.",
        {name: own[name] for name in ("corrected", "low", "high")},
    )


def draw_similarity_groups(figure: Canvas, data: Data) -> None:
    rows = records(data)
    groups = [group for group in GROUPS if group in data["a"] + data["b"]]
    kinds = [kind for kind in COSINES if any(value is not None for value in data[kind])]
    grids = {kind: _grid(rows, groups, kind) for kind in kinds}
    bound = max([0.05, *(float(np.nanmax(np.abs(grid))) for grid in grids.values())])
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        image = heatmap(axes, grids[kind], bound)
        for (i, j), value in np.ndenumerate(grids[kind]):
            shown = "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
            axes.text(j, i, shown, ha="center", va="center", fontsize=9, color=on_cell(value, bound))
        axes.set_xticks(range(len(groups)), [GROUP_NAMES[group] for group in groups], rotation=20)
        axes.set_yticks(range(len(groups)), [GROUP_NAMES[group] for group in groups])
        axes.set_title(COSINES[kind], fontsize=9)
    figure.colorbar(image, ax=list(panels), label="mean cosine", shrink=0.8)


def heatmap(axes: Axes, grid: np.ndarray, bound: float):
    """Blue is alike, orange is opposed, white is neither: both ends are told apart by colour-blind readers."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("alike", ["#D55E00", "#f7f7f7", "#0072B2"]).with_extremes(bad="#e3e6ea")
    image = axes.imshow(grid, cmap=colours, vmin=-bound, vmax=bound, interpolation="nearest")
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    return image


def on_cell(value: float, bound: float) -> str:
    """The colour of text that is read on a cell; it stays in dark mode, as the cell does."""
    return "#fefefe" if abs(np.nan_to_num(value)) > 0.6 * bound else ON_CELLS


def _grid(rows: list[dict], groups: list[str], kind: str) -> np.ndarray:
    grid = np.full((len(groups), len(groups)), np.nan)
    for row in rows:
        if row[kind] is not None:
            i, j = groups.index(row["a"]), groups.index(row["b"])
            grid[i, j] = grid[j, i] = row[kind]
    return grid


SIMILARITY_GROUPS = Figure(
    name="similarity_groups",
    title="Similarity of groups",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=similarity_groups_data,
    caption=similarity_groups_caption,
    draw=draw_similarity_groups,
    paper="6",
    size=(9.6, 3.9),
    wide=True,
)


# Cosines of all pairs of some prompts of each group, in blocks by group (paper, Figure 6) -----------------------------

EACH_GROUP = 30  # prompts of a group


def similarity_prompts_data(material: Material) -> Data | None:
    """prompt_id, group, and a column of cosines with each prompt in the same order, named by its id."""
    probe = material.probe
    path = material.first.gradients(probe.name) if probe else None
    if path is None or not path.exists():
        return None
    from openrlhf_unlearn.probe.store import load

    gradients = load(path)[0].get("correct")
    if gradients is None:
        return None
    chosen = _chosen(material, gradients)
    if len(chosen) < 2:
        return None
    vectors = np.concatenate([gradients.mean[at : at + 1] for at, _, _ in chosen]).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    cosines = np.round(vectors @ vectors.T, 3)
    names = [name for _, name, _ in chosen]
    return {
        "prompt_id": names,
        "group": [group for _, _, group in chosen],
        **{name: column.tolist() for name, column in zip(names, cosines.T, strict=True)},
    }


def _chosen(material: Material, gradients) -> list[tuple[int, str, str]]:
    """(place in the file, id, group): of each group prompts drawn at random, whatever their rollouts."""
    group_of = dict(zip(material.ids.to_pylist(), material.groups, strict=True))
    found = []
    order = np.random.default_rng(0).permutation(len(gradients.ids))
    for group in GROUPS:
        mine = [(int(at), gradients.ids[at]) for at in order if group_of.get(gradients.ids[at]) == group]
        found += [(at, name, group) for at, name in mine[:EACH_GROUP]]
    return found


def similarity_prompts_caption(material: Material, data: Data) -> Sentence:
    return (
        "Plain cosines of the gradients of {prompts:count} prompts, at most {each:count} of each group, drawn at "
        "random, in order of the groups. Blue is alike; few or noisy rollouts make a stripe paler than its prompt is.",
        {"prompts": len(data["prompt_id"]), "each": EACH_GROUP},
    )


def draw_similarity_prompts(figure: Canvas, data: Data) -> None:
    axes = figure.subplots()
    grid = np.array([data[name] for name in data["prompt_id"]], float)
    np.fill_diagonal(grid, np.nan)
    image = heatmap(axes, grid, max(0.05, float(np.nanquantile(np.abs(grid), 0.98))))
    groups = list(dict.fromkeys(data["group"]))
    starts = np.array([data["group"].index(group) for group in groups] + [len(grid)])
    for edge in starts[1:-1]:
        axes.axhline(edge - 0.5, color=ON_CELLS, linewidth=0.8)
        axes.axvline(edge - 0.5, color=ON_CELLS, linewidth=0.8)
    middles, names = (starts[:-1] + starts[1:] - 1) / 2, [GROUP_NAMES[group] for group in groups]
    wide = np.diff(starts) >= 0.12 * len(grid)  # a narrow block's name would lie over its neighbour's
    names = [name if fits else "" for name, fits in zip(names, wide, strict=True)]
    axes.set_xticks(middles, names, rotation=20)
    axes.set_yticks(middles, names)
    figure.colorbar(image, ax=axes, label="cosine", shrink=0.85)


SIMILARITY_PROMPTS = Figure(
    name="similarity_prompts",
    title="Similarity prompt by prompt",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=similarity_prompts_data,
    caption=similarity_prompts_caption,
    draw=draw_similarity_prompts,
    paper="6",
    size=(5.2, 4.2),
)


# Similarity of each group to all prompts over several probes: checkpoints (paper, Figure 17), models (Figure 11) ------


def over_training_data(material: Material) -> Data | None:
    """One probe for each evaluation tag, other base models' apart."""
    others = material.summary.models
    by_tag = {probe.tag: probe for probe in reversed(list(material.probes.values())) if probe.name not in others}
    return _over(material, {tag: by_tag[tag] for tag in reversed(by_tag)})


def over_models_data(material: Material) -> Data | None:
    """The probes of `openrlhf-unlearn models`, each model on its own rollouts of the same prompts; else of different
    models on the same rollouts, of the evaluation that most models were probed on."""
    names = [name for name in material.summary.models if name in material.probes]
    if len(names) > 1:
        return _over(material, {name: material.probes[name] for name in names})
    probes = list(material.probes.values())
    tags = {tag: {p.model: p for p in reversed(probes) if p.tag == tag} for tag in dict.fromkeys(p.tag for p in probes)}
    most = max(tags.values(), key=len, default={})
    return _over(material, {probe.name: probe for probe in reversed(most.values())})


def _over(material: Material, probes: dict[str, Probe]) -> Data | None:
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


def over_training_caption(material: Material, data: Data) -> Sentence:
    return (
        "Mean cosine of the groups' gradients to all prompts' at {probes:count} checkpoints, with 95 % intervals. Do "
        "the unlearnable stay apart, or come to lie with the others as training goes on?",
        {"probes": len(set(data["probe"]))},
    )


def over_models_caption(material: Material, data: Data) -> Sentence:
    text, numbers = "The same prompts under {models:count} models.", {"models": len(set(data["probe"]))}
    gaps = _gaps(records(data))
    if not gaps:
        return text, numbers
    text += " The gap between learnable and unlearnable is "
    closest = _smallest(gaps)
    if closest:
        text += "smallest under {closest:plain}, {gap:rate} ({low:rate} to {high:rate})"
        numbers |= {"closest": closest, **dict(zip(("gap", "low", "high"), gaps[closest], strict=True))}
    else:
        text += "not shown to be smallest under any of them"
    return text + "; whether RL then learns the unlearnable is not seen here.", numbers


Gap = tuple[float, float, float]  # value, low, high


def _gaps(rows: list[dict]) -> dict[str, Gap]:
    """probe → mean of the learnable less that of the unlearnable, by the corrected cosine if all probes have it, else
    by the plain; nothing where one of them cannot say."""
    found = {(row["cosine"], row["group"], row["probe"]): row for row in rows if row["low"] is not None}
    probes = dict.fromkeys(row["probe"] for row in rows)
    for kind in ("corrected", "plain"):
        if all((kind, group, probe) in found for probe in probes for group in ("learnable", "unlearnable")):
            means = {probe: [_bounds(found[kind, g, probe]) for g in ("learnable", "unlearnable")] for probe in probes}
            return {probe: _less(*both) for probe, both in means.items()}
    return {}


def _smallest(gaps: dict[str, Gap]) -> str | None:
    """The probe whose gap is smaller than every other's by more than chance."""
    closest = min(gaps, key=lambda probe: gaps[probe][0])
    others = (gap for probe, gap in gaps.items() if probe != closest)
    return closest if all(_less(gap, gaps[closest])[1] > 0 for gap in others) else None


def _bounds(row: dict) -> Gap:
    return row["mean"], row["low"], row["high"]


def _less(first: Gap, second: Gap) -> Gap:
    """First less second with its 95 % interval, of the intervals of both, as if independent."""
    return first[0] - second[0], *apart(first[0], first[1:], second[0], second[1:])


def _draw_over(figure: Canvas, data: Data, over: str) -> None:
    rows = records(data)
    kinds = list(dict.fromkeys(data["cosine"]))
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        group_lines(axes, [row for row in rows if row["cosine"] == kind], "probe", labelled=axes is panels[0])
        axes.set_title(COSINES[kind], fontsize=9)
        axes.set_xlabel(over)
    panels[0].set_ylabel("mean cosine to all other prompts")
    bounds = [v for v in (*data["mean"], *data["low"], *data["high"]) if v is not None]
    low, high = min(0.0, *bounds), max(bounds)
    panels[0].set_ylim(low - 0.05 * (high - low), None)
    figure.legend(loc="outside upper left", ncols=4)


SIMILARITY_OVER_TRAINING = Figure(
    name="similarity_over_training",
    title="Similarity over training",
    needs="openrlhf-unlearn probe --model M0 M1 --tag initial final --run RUN",
    data=over_training_data,
    caption=over_training_caption,
    draw=lambda figure, data: _draw_over(figure, data, "checkpoint"),
    paper="17",
    size=(9.6, 3.6),
    wide=True,
)
SIMILARITY_OVER_MODELS = replace(
    SIMILARITY_OVER_TRAINING,
    name="similarity_over_models",
    title="Similarity under other base models",
    needs="openrlhf-unlearn models RUN base=MODEL mid=MODEL",
    data=over_models_data,
    caption=over_models_caption,
    draw=lambda figure, data: _draw_over(figure, data, "model"),
    paper="11",
)
