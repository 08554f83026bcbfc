"""Means with intervals; everything here is a plain function of arrays."""

import numpy as np

Z = 1.96  # of a 95 % interval


def mean_interval(values: np.ndarray) -> tuple[float | None, list[float] | None]:
    """Mean of the finite values, (n,), and its 95 % interval over them; None without values, or with one alone."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None
    mean = float(values.mean())
    if len(values) < 2:
        return mean, None
    half = float(Z * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, [mean - half, mean + half]


def wilson(hits: int, n: int) -> list[float] | None:
    """The 95 % Wilson interval of a share."""
    if not n:
        return None
    share = hits / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return [float(max(0.0, centre - half)), float(min(1.0, centre + half))]


def smoothed(values: np.ndarray, window: int) -> np.ndarray:
    """Centred moving average; at the ends over what is there."""
    kernel = np.ones(window)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


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
