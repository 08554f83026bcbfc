"""Cosines of all pairs of some prompts of each group, in blocks by group (paper, Figure 6)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure
from openrlhf_unlearn.report.figures.similarity_groups import heatmap
from openrlhf_unlearn.report.palette import GROUP_NAMES
from openrlhf_unlearn.store.run_dir import GROUPS

EACH = 30  # prompts of a group
ON_CELLS = "#111111"  # stays in dark mode, as the cells do


def data(material) -> Data | None:
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


def _chosen(material, gradients) -> list[tuple[int, str, str]]:
    """(place in the file, id, group): of each group prompts drawn at random, whatever their rollouts."""
    group_of = dict(zip(material.ids.to_pylist(), material.groups, strict=True))
    found = []
    order = np.random.default_rng(0).permutation(len(gradients.ids))
    for group in GROUPS:
        mine = [(int(at), gradients.ids[at]) for at in order if group_of.get(gradients.ids[at]) == group]
        found += [(at, name, group) for at, name in mine[:EACH]]
    return found


def caption(material, data: Data):
    return (
        "Plain cosines of the gradients of {prompts:count} prompts, at most {each:count} of each group, drawn at "
        "random, in order of the groups. Blue is alike; few or noisy rollouts make a stripe paler than its prompt is.",
        {"prompts": len(data["prompt_id"]), "each": EACH},
    )


def draw(figure, data: Data) -> None:
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


FIGURE = Figure(
    name="similarity_prompts",
    title="Similarity prompt by prompt",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=data,
    caption=caption,
    draw=draw,
    paper="6",
    size=(5.2, 4.2),
)
