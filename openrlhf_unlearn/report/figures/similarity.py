"""How alike prompts' gradients are: the distribution in each group, plain and corrected (paper, Figures 1c and 13)."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Data, Figure, columns, records
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES, INK
from openrlhf_unlearn.report.probes import choose_cosine
from openrlhf_unlearn.store.run_dir import GROUPS

BINS = 40
TITLES = {"plain": "plain cosine", "corrected": "without the noise of few rollouts"}


def data(material) -> Data | None:
    probe = material.probe
    if probe is None:
        return None
    found = {kind: getattr(probe, kind) for kind in TITLES}
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


def caption(material, data: Data):
    rows = {(row["cosine"], row["group"]): row for row in records(data)}
    text = (
        "Mean cosine of each prompt's gradient to all other prompts', by group; the mark is the group's mean. Few "
        "correct rollouts lower the plain cosine; the corrected one is of those prompts that have enough of them."
    )
    chosen = choose_cosine(material, material.probe)
    if chosen is None:
        return text, {}
    kind, groups = chosen[0], ("learnable", "unlearnable")
    text += f" {kind.capitalize()}, the learnable are at {{learnable:rate}}, the unlearnable"
    text += " at {unlearnable:rate} ({prompts:count} prompts)."
    numbers = {group: rows[kind, group]["mean"] for group in groups}
    return text, numbers | {"prompts": rows[kind, "unlearnable"]["prompts"]}


def draw(figure, data: Data) -> None:
    kinds = list(dict.fromkeys(data["cosine"]))
    groups = [group for group in GROUPS if group in data["group"]]
    panels = figure.subplots(1, len(kinds), sharex=True, sharey=True, squeeze=False)[0]
    rows = records(data)
    for axes, kind in zip(panels, kinds, strict=True):
        for i, group in enumerate(groups):
            mine = [row for row in rows if row["cosine"] == kind and row["group"] == group]
            if mine:
                _ridge(axes, mine, len(groups) - 1 - i, GROUP_COLOURS[group])
        axes.set_title(TITLES[kind], fontsize=9)
        axes.set_xlabel("mean cosine to all other prompts")
        axes.axvline(0, color=INK, linewidth=0.7, alpha=0.5)
        axes.grid(axis="y", visible=False)
    panels[0].set_yticks(range(len(groups) - 1, -1, -1), [GROUP_NAMES[group] for group in groups])
    panels[0].set_ylim(-0.15, len(groups) + 0.05)
    panels[0].set_ylabel("prompts (each group scaled to its peak)")


def _ridge(axes, rows: list[dict], base: float, colour: str) -> None:
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


FIGURE = Figure(
    name="similarity",
    title="Similarity of gradients",
    needs="openrlhf-unlearn probe --model M --run RUN --tag initial",
    data=data,
    caption=caption,
    draw=draw,
    paper="1c, 13",
    size=(9.6, 3.8),
    wide=True,
)
