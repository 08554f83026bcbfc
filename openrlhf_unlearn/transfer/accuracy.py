"""How well a prediction of the map agrees with what training did, and whether another predicts as well.

Entries of a map share their rows and columns, so they are no independent points. Intervals leave out one cluster at a
time, with its row and its column (a jackknife over clusters). With few clusters they are wide, and should be.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

LEVEL = 0.95
FEWEST = 4  # clusters, below which no agreement is told


def correlation(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Pearson's r over the entries that both have; nan where there are under three, or one of both does not vary."""
    there = np.isfinite(predicted) & np.isfinite(measured)
    x, y = predicted[there], measured[there]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(stats.pearsonr(x, y)[0])


def slope(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Measured change per predicted one, by least squares through 0."""
    there = np.isfinite(predicted) & np.isfinite(measured)
    x, y = predicted[there], measured[there]
    return float((x * y).sum() / (x * x).sum()) if (x * x).sum() > 0 else float("nan")


def between(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Without the entries of a cluster with itself. rows: (trained,) the column of each trained cluster."""
    found = matrix.astype(float)
    found[np.arange(len(rows)), rows] = np.nan
    return found


def with_interval(
    value: Callable[[np.ndarray, np.ndarray], float], rows: np.ndarray, columns: int, bound: float = np.inf
) -> dict:
    """{value, low, high}: `value(rows kept, columns kept)` with a jackknife over clusters; low and high None where
    clusters are too few. rows: (trained,) the column of each trained cluster. bound: beyond which no value lies, which
    the jackknife does not know."""
    every, all_columns = np.arange(len(rows)), np.arange(columns)
    whole = value(every, all_columns)
    left = np.array([value(every[rows != c], all_columns[all_columns != c]) for c in all_columns])
    left = left[np.isfinite(left)]
    if not np.isfinite(whole):
        return {"value": None, "low": None, "high": None}
    if len(rows) < FEWEST or len(left) < FEWEST or np.ptp(left) == 0:
        return {"value": float(whole), "low": None, "high": None}
    error = np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())
    half = float(stats.t.ppf(0.5 + LEVEL / 2, min(len(left), len(rows)) - 1) * error)  # few trained, few known
    return {"value": float(whole), "low": max(-bound, float(whole - half)), "high": min(bound, float(whole + half))}


def correlations(predicted: np.ndarray, measured: np.ndarray, rows: np.ndarray) -> dict:
    """{all, between, slope}, each {value, low, high}: r over all entries, r over those between different clusters, and
    the measured change per predicted one. predicted, measured: (trained, clusters)."""

    def of(function: Callable, x: np.ndarray, y: np.ndarray, bound: float = np.inf) -> dict:
        return with_interval(lambda r, c: function(x[np.ix_(r, c)], y[np.ix_(r, c)]), rows, measured.shape[1], bound)

    apart = between(predicted, rows), between(measured, rows)
    return {
        "all": of(correlation, predicted, measured, 1.0),
        "between": of(correlation, *apart, 1.0),
        "slope": of(slope, predicted, measured),
    }


def advantage(predicted: np.ndarray, baseline: np.ndarray, measured: np.ndarray, rows: np.ndarray) -> dict:
    """{value, low, high}: r of the prediction less r of the baseline, over the same entries and clusters left out."""

    def gap(r: np.ndarray, c: np.ndarray) -> float:
        part = np.ix_(r, c)
        return correlation(predicted[part], measured[part]) - correlation(baseline[part], measured[part])

    return with_interval(gap, rows, measured.shape[1])
