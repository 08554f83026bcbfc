"""How far raters agree, and a mean with its interval."""

import numpy as np


def krippendorff_alpha(scores: np.ndarray, ordinal: bool = True) -> float | None:
    """Krippendorff's alpha: 1 full agreement, 0 no more than chance; None where there is nothing to compare.

    scores: (items, ratings), whole numbers, nan where an item has fewer ratings. Differences are ordinal (ranks between
    two scores) or, if not `ordinal`, squared. K. Krippendorff, Computing Krippendorff's alpha-reliability, 2011.
    """
    scores = np.asarray(scores, dtype=float)
    values = np.unique(scores[~np.isnan(scores)])
    counts = (scores[:, :, None] == values).sum(1).astype(float)  # (items, values)
    counts = counts[counts.sum(1) >= 2]
    if len(counts) == 0:
        return None
    weights = 1 / (counts.sum(1) - 1)
    observed = np.einsum("u,ui,uj->ij", weights, counts, counts) - np.diag(weights @ counts)
    totals = observed.sum(0)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    places = np.cumsum(totals) - totals / 2 if ordinal else values
    distance = (places[:, None] - places) ** 2
    by_chance = (expected * distance).sum()
    return float(1 - (observed * distance).sum() / by_chance) if by_chance > 0 else None


def mean_interval(values: np.ndarray, seed: int = 0, draws: int = 2000) -> tuple[float, float, float]:
    """(mean, low, high): the mean and its 95 % interval by bootstrap over the values, (items,)."""
    values = np.asarray(values, dtype=float)
    samples = np.random.default_rng(seed).choice(values, (draws, len(values)))
    low, high = np.percentile(samples.mean(1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
