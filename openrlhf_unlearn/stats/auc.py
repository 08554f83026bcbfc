"""The area under the ROC curve, with one interval, and the difference of two areas on the same prompts."""

from typing import TypeAlias, TypedDict

import numpy as np
from scipy.optimize import brentq
from scipy.stats import rankdata

from openrlhf_unlearn.stats.means import Z, apart

Placements: TypeAlias = tuple[np.ndarray, np.ndarray]  # of the low and the high
EDGE = 1e-7  # areas nearer to 0 or 1 than this count as 0 or 1


class Area(TypedDict):
    """An area under the ROC curve with its interval; prompts: of each kind."""

    auc: float
    low: float
    high: float
    prompts: list[int]


class AreaDifference(TypedDict):
    difference: float
    low: float
    high: float


def auc(low: np.ndarray, high: np.ndarray) -> float | None:
    """P(a value of `high` exceeds one of `low`), ties half. None without finite values of both."""
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    if not len(low) or not len(high):
        return None
    ranks = rankdata(np.concatenate([low, high]))[len(low) :]
    return float((ranks.sum() - len(high) * (len(high) + 1) / 2) / (len(low) * len(high)))


def placements(low: np.ndarray, high: np.ndarray) -> Placements:
    """Of each value of `low` the share of `high` above it, of each of `high` the share of `low` below it; ties half."""
    return 1 - _below(low, high), _below(high, low)


def area(of_low: np.ndarray, of_high: np.ndarray, z: float = Z) -> Area:
    """The area by the `placements` of both kinds, or means of such.

    Newcombe's score interval (2006, his method 5): the areas from which the one found is at most z standard errors
    away, so that it has width even where both kinds are wholly apart. The variance is Hanley and McNeil's at those
    areas, raised to DeLong's in proportion where the scores found vary more than it assumes.
    """
    found, sizes = float((of_low.mean() + of_high.mean()) / 2), [len(of_low), len(of_high)]

    def variance(true: float) -> float:
        more = (sum(sizes) / 2 - 1) * ((1 - true) / (2 - true) + true / (1 + true))
        return true * (1 - true) * (1 + more) / (sizes[0] * sizes[1])

    seen = sum(places.var(ddof=1) / len(places) for places in (of_low, of_high) if len(places) > 1)
    wider = np.sqrt(max(1.0, seen / variance(found))) if EDGE < found < 1 - EDGE else 1.0

    def bound(side: int) -> float:
        """Root of the distance in standard errors on one side; 0 and 1 are roots of their own, and not meant."""
        near, far = min(max(found, EDGE), 1 - EDGE), EDGE if side < 0 else 1 - EDGE

        def beyond(true: float) -> float:
            return side * (true - found) - z * wider * np.sqrt(variance(true))

        return float(brentq(beyond, near, far)) if beyond(far) > 0 > beyond(near) else float(round(far))

    return {"auc": found, "low": bound(-1), "high": bound(1), "prompts": sizes}


def auc_with_interval(low: np.ndarray, high: np.ndarray) -> Area | None:
    """`area` of these scores; None without finite values of both."""
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    return area(*placements(low, high)) if len(low) and len(high) else None


def area_difference(first: Placements, second: Placements, z: float = Z) -> AreaDifference:
    """Area of `first` less that of `second`, both of the same prompts; z: of `area`.

    Both areas' own intervals put together by their correlation (Newcombe's square-and-add), which DeLong's covariance
    of the placements gives; where these do not vary the areas count as uncorrelated, which only widens.
    """
    one, two = area(*first, z), area(*second, z)
    ends = [(found["low"], found["high"]) for found in (one, two)]
    low, high = apart(one["auc"], ends[0], two["auc"], ends[1], _correlation(first, second))
    return {"difference": one["auc"] - two["auc"], "low": low, "high": high}


def _correlation(first: Placements, second: Placements) -> float:
    """Of the two areas' sampling errors, after DeLong, DeLong and Clarke-Pearson (1988); in [0, 1]."""
    total = np.zeros((2, 2))
    for places in zip(first, second, strict=True):
        n, centred = len(places[0]), np.stack(places) - np.mean(places, axis=1, keepdims=True)
        total += centred @ centred.T / (n - 1) / n if n > 1 else 0
    spread = np.sqrt(total[0, 0] * total[1, 1])
    return min(max(float(total[0, 1] / spread), 0.0), 1.0) if spread > 0 else 0.0


def _below(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Of each value of mine, the share of theirs below it, ties half."""
    theirs = np.sort(theirs)
    return (np.searchsorted(theirs, mine, "left") + np.searchsorted(theirs, mine, "right")) / (2 * len(theirs))
