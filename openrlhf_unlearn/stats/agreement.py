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
