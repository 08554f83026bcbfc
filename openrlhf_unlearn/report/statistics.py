"""Means with intervals; everything here is a plain function of arrays."""

import numpy as np

Z = 1.96  # of a 95 % interval


def mean_interval(values: np.ndarray) -> tuple[float | None, list[float] | None]:
    """Mean of the finite values, (n,), and its 95 % interval over them.

    None without values; no interval from one value, or from equal ones, whose spread of 0 would claim certainty.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return mean, None
    half = float(Z * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, [mean - half, mean + half]


def auc(low: np.ndarray, high: np.ndarray) -> float | None:
    """P(a value of `high` exceeds one of `low`), ties half: the area under the ROC curve."""
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    if not len(low) or not len(high):
        return None
    ranks = np.searchsorted(np.sort(low), high, "left") + np.searchsorted(np.sort(low), high, "right")
    return float(ranks.sum() / (2 * len(low) * len(high)))


def bootstrap(statistic, *samples: np.ndarray, times: int = 400, seed: int = 0) -> list[float]:
    """95 % interval of statistic(*samples), each sample drawn again with replacement."""
    rng = np.random.default_rng(seed)
    values = [statistic(*(s[rng.integers(len(s), size=len(s))] for s in samples)) for _ in range(times)]
    return [float(v) for v in np.quantile(values, (0.025, 0.975))]
