"""Means of groups with intervals: the numbers, and how they are drawn over ordered categories."""

import numpy as np

from openrlhf_unlearn.report.figures.base import Axes, Canvas
from openrlhf_unlearn.report.palette import GROUP_COLOURS, GROUP_NAMES, INK
from openrlhf_unlearn.stats.means import mean_interval, rate_interval


def group_mean(values: np.ndarray, rates: bool = False) -> dict | None:
    """prompts, mean, low and high of the finite values, (n,), or rates in [0, 1]; None without one.

    low and high are None where nothing tells how sure the mean is: of one value, or of equal ones that are no rates.
    """
    mean, interval = (rate_interval if rates else mean_interval)(values)
    if mean is None:
        return None
    low, high = interval or (None, None)
    return {"prompts": int(np.isfinite(values).sum()), "mean": mean, "low": low, "high": high}


def bars(rows: list[dict]) -> np.ndarray:
    """(2, rows) error bars of rows with mean, low and high; none where there is no interval."""
    found = [(r["mean"], *((r["mean"],) * 2 if r["low"] is None else (r["low"], r["high"]))) for r in rows]
    return np.array([[max(0.0, mean - low), max(0.0, high - mean)] for mean, low, high in found]).T


def group_lines(axes: Axes, rows: list[dict], over: str, labelled: bool = True) -> None:
    """A line a group through its means at each value of rows[over], in the rows' order, beside one another."""
    places = list(dict.fromkeys(row[over] for row in rows))
    groups = list(dict.fromkeys(row["group"] for row in rows))
    for i, group in enumerate(groups):
        mine = [row for row in rows if row["group"] == group]
        x = [places.index(row[over]) + (i - (len(groups) - 1) / 2) * 0.07 for row in mine]
        axes.errorbar(
            x, [row["mean"] for row in mine], bars(mine), color=GROUP_COLOURS[group], marker="o", markersize=4.5,
            linewidth=1.5, elinewidth=1.1, capsize=2.5, label=GROUP_NAMES[group] if labelled else None,
        )  # fmt: skip
    axes.set_xticks(range(len(places)), [short(str(place)) for place in places], rotation=0 if len(places) < 6 else 40)
    axes.set_xlim(-0.4, len(places) - 0.6)
    axes.grid(axis="x", visible=False)


def forest(axes: Axes, rows: list[dict], names: dict[str, str]) -> None:
    """Each group's mean with its interval, lying; one measure below another, as `names` calls them."""
    measures, groups = list(dict.fromkeys(r["measure"] for r in rows)), list(dict.fromkeys(r["group"] for r in rows))
    for i, group in enumerate(groups):
        mine = [row for row in rows if row["group"] == group]
        y = [len(measures) - 1 - measures.index(row["measure"]) - (i - (len(groups) - 1) / 2) * 0.16 for row in mine]
        axes.errorbar(
            [row["mean"] for row in mine], y, xerr=bars(mine), fmt="o", color=GROUP_COLOURS[group],
            label=GROUP_NAMES[group], markersize=4.5, capsize=2.5,
        )  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(measures) - 1, -1, -1), [names[measure] for measure in measures])
    axes.set_ylim(-0.6, len(measures) - 0.4)
    axes.grid(axis="y", visible=False)


def short(name: str, longest: int = 18) -> str:
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def legend(figure: Canvas, entries: int) -> None:
    """Above the panels; as many columns as a figure of one column has room for."""
    figure.legend(loc="outside upper left", ncols=entries if entries <= 3 else 3 if entries in (5, 6) else 2)
