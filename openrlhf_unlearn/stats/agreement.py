"""Agreement of raters beyond chance."""

import numpy as np


def fleiss_kappa(labels: np.ndarray) -> float | None:
    """Fleiss' kappa; labels: (raters, items) of whole numbers. None where it is not defined."""
    raters, items = labels.shape
    if raters < 2 or items == 0:
        return None
    votes = np.stack([(labels == value).sum(axis=0) for value in np.unique(labels)], axis=1)
    observed = ((votes**2).sum(axis=1) - raters).mean() / (raters * (raters - 1))
    by_chance = ((votes.sum(axis=0) / votes.sum()) ** 2).sum()
    return None if by_chance == 1 else float((observed - by_chance) / (1 - by_chance))


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
    expected = (totals[:, None] * totals - np.diag(totals)) / (totals.sum() - 1)
    places = np.cumsum(totals) - totals / 2 if ordinal else values
    distance = (places[:, None] - places) ** 2
    by_chance = (expected * distance).sum()
    return float(1 - (observed * distance).sum() / by_chance) if by_chance > 0 else None
