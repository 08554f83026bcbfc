"""Similarity of each pair of groups (paper, Figure 6), plain and corrected."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.palette import GROUP_NAMES
from openrlhf_unlearn.store.run_dir import GROUPS

KINDS = {"plain": "plain cosine", "corrected": "without the noise of few rollouts"}


def data(material) -> Data | None:
    matrix = material.probe.numbers.get("group_matrix") if material.probe else None
    names = ("a", "b", "plain", "corrected", "low", "high")
    return columns([{name: row.get(name) for name in names} for row in matrix or () if row["a"] and row["b"]])


def caption(material, data: Data):
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


def draw(figure, data: Data) -> None:
    rows = records(data)
    groups = [group for group in GROUPS if group in data["a"] + data["b"]]
    kinds = [kind for kind in KINDS if any(value is not None for value in data[kind])]
    grids = {kind: _grid(rows, groups, kind) for kind in kinds}
    bound = max(0.05, *(float(np.nanmax(np.abs(grid))) for grid in grids.values()))
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        image = heatmap(axes, grids[kind], bound)
        for (i, j), value in np.ndenumerate(grids[kind]):
            shown = "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
            axes.text(j, i, shown, ha="center", va="center", fontsize=9, color=on_cell(value, bound))
        axes.set_xticks(range(len(groups)), [GROUP_NAMES[group] for group in groups], rotation=20)
        axes.set_yticks(range(len(groups)), [GROUP_NAMES[group] for group in groups])
        axes.set_title(KINDS[kind], fontsize=9)
    figure.colorbar(image, ax=list(panels), label="mean cosine", shrink=0.8)


def heatmap(axes, grid: np.ndarray, bound: float):
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
    return "#fefefe" if abs(np.nan_to_num(value)) > 0.6 * bound else "#111111"


def _grid(rows: list[dict], groups: list[str], kind: str) -> np.ndarray:
    grid = np.full((len(groups), len(groups)), np.nan)
    for row in rows:
        if row[kind] is not None:
            i, j = groups.index(row["a"]), groups.index(row["b"])
            grid[i, j] = grid[j, i] = row[kind]
    return grid


FIGURE = Figure(
    name="similarity_groups",
    title="Similarity of groups",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=data,
    caption=caption,
    draw=draw,
    paper="6",
    size=(9.6, 3.9),
    wide=True,
)
