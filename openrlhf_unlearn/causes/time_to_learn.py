"""How much more it would take: samples until a first reward, training steps until a rising prompt is learned."""

from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.causes.observed import Visits
from openrlhf_unlearn.stats.means import Z


def first_reward(n: int) -> int:
    """More samples in which a first positive is as likely as not, after `n` without one.

    With Jeffreys' prior on the pass rate P(none in m more) is about sqrt((n + 1/2) / (n + m + 1/2)): 1/2 at m = 3 n.
    """
    return 3 * n + 2


@dataclass(frozen=True)
class Rise:
    """Steps beyond the last until the pass rate is `target`: by the fitted slope, and by its 95 % interval's ends."""

    steps: float
    fewest: float
    most: float  # infinite where the slope may be nothing


def rise(visits: Visits, row: int, target: float = 0.5) -> Rise | None:
    """A logistic line through the pass rates of one prompt's visits, drawn on; None unless it surely rises.

    An extrapolation: it holds while training goes on as it went.
    """
    mine = visits.row == row
    x, n, k = (column[mine].astype(float) for column in (visits.step, visits.n, visits.positive))
    if len(x) < 3 or not 0 < k.sum() < n.sum():
        return None
    last = x.max()
    x = (x - last) / max(1.0, np.ptp(x))
    fitted = _logistic(x, n, k)
    if fitted is None:
        return None
    (level, slope), error = fitted
    if slope - Z * error <= 0:
        return None
    wanted = np.log(target / (1 - target)) - level
    span = max(1.0, float(np.ptp(visits.step[mine])))
    ends = (wanted / bound * span if bound > 0 else np.inf for bound in (slope, slope + Z * error, slope - Z * error))
    return Rise(*(float(max(0.0, end)) for end in ends))


def _logistic(x: np.ndarray, n: np.ndarray, k: np.ndarray, rounds: int = 30) -> tuple[np.ndarray, float] | None:
    """((level at 0, slope), standard error of the slope) by Newton's method with a weak ridge; None if it diverges."""
    design, beta, ridge = np.stack([np.ones_like(x), x], 1), np.zeros(2), np.diag([1e-3, 1e-3])
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        curvature = design.T @ (design * (n * p * (1 - p))[:, None]) + ridge
        step = np.linalg.solve(curvature, design.T @ (k - n * p) - ridge @ beta)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            return beta, float(np.sqrt(np.linalg.inv(curvature)[1, 1]))
    return None
