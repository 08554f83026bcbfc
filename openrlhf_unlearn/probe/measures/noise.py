"""How much of a mean gradient is the noise of few rollouts, and what its direction is without that.

The mean of n rollouts' gradients has squared norm ‖μ‖² + noise/n: a cosine of two such means is pulled toward 0, the
more the fewer the rollouts. With S the sum over rollouts and S_u the sums of units of n_u rollouts,

    (‖S‖² − Σ‖S_u‖²) / (n² − Σ n_u²)

has the mean ‖μ‖², whatever the noise; with one rollout a unit it is (‖Σg‖² − Σ‖g‖²) / (n(n − 1)). Dividing the mean by
its root gives a direction whose inner products with others' are cosines without that pull. The root of an uncertain
number is biased itself; its leading term is taken out (`_bias`). Leaving out one unit at a time (a jackknife) tells the
uncertainty.

Rollouts that are all the same text would leave that no uncertainty at all, yet they are draws too: that n of them agree
excludes only that others have more than the share 1 − 0.025^(1/n), at 97.5 %. Such others are taken to pull between not
at all and as much as this or the average prompt does (`unseen_half_width`).
"""

from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients

MAX_ERROR = 0.5  # of norm², relative: above it there are too few rollouts to say anything
MIN_UNITS = 3
MIN_DISTINCT = 3  # different rollouts, below which their spread tells nothing


@dataclass(frozen=True)
class Noise:
    """norm2: (prompts,) estimate of ‖μ‖², nan below two units. scale: (prompts,) what a mean gradient is multiplied by
    to estimate its true unit direction, nan where there are too few rollouts. units: (prompts,) how many. shift:
    (prompts, units) how norm2 without a unit differs from its average over units, relative; 0 past the last unit.
    unseen: (prompts,) the share that rollouts not seen may have, where hardly two of the seen ones differ, else 0."""

    norm2: np.ndarray
    scale: np.ndarray
    units: np.ndarray
    shift: np.ndarray
    unseen: np.ndarray

    @property
    def enough(self) -> np.ndarray:
        return np.isfinite(self.scale)

    @property
    def words(self) -> np.ndarray:
        """(prompts,) what a reader should know of each corrected figure."""
        return np.where(self.enough, np.where(self.unseen > 0, "identical rollouts", "ok"), "too few rollouts")


def noise(gradients: Gradients) -> Noise:
    counts = np.asarray(gradients.counts, float)
    there, n = counts > 0, counts.sum(1)
    units = there.sum(1)
    norms2, dots = np.asarray(gradients.norms2, float), np.asarray(gradients.dots, float)
    total2 = dots.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        norm2 = np.where(units > 1, (total2 - norms2.sum(1)) / (n**2 - (counts**2).sum(1)), np.nan)
        left2 = total2[:, None] - 2 * dots + norms2 - (norms2.sum(1)[:, None] - norms2)
        pairs = (n[:, None] - counts) ** 2 - ((counts**2).sum(1)[:, None] - counts**2)
        left = np.where(there & (units >= MIN_UNITS)[:, None], left2 / pairs, np.nan)
        shift = (left - _mean(left, there)[:, None]) / norm2[:, None]
        shift = np.where(there, shift, 0)
        error2 = jackknife_variance(shift, units)
        ratio = total2 / n**2 / norm2 - 1  # of the noise in the mean to the signal
        enough = (norm2 > 0) & (error2 < MAX_ERROR**2)  # nan is not enough
        scale = np.where(enough, 1 / np.sqrt(norm2) / (1 + _bias(error2, ratio)), np.nan)
    unseen = np.where(np.asarray(gradients.distinct) < MIN_DISTINCT, 1 - 0.025 ** (1 / n), 0)
    return Noise(norm2, scale, units, np.where(enough[:, None], shift, 0), unseen)


def unseen_half_width(found: Noise, estimate: np.ndarray) -> np.ndarray:
    """Half the interval of (prompts, columns) cosines for rollouts that were not seen; nan rows are left out."""
    known = found.enough[:, None] & np.isfinite(estimate)
    size = np.abs(np.where(known, estimate, 0))
    typical = size.sum(0) / np.maximum(1, known.sum(0))
    return found.unseen[:, None] * np.maximum(size, typical)


def _bias(error2: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Relative bias of m/√v along the true direction, to second order: error2/8 from what noise adds along μ, where
    numerator and root move together, 3·error2/8 from the noise's own square, whose share of the variance is
    (ratio/2) / (1 + ratio/2)."""
    return error2 * (1 / 8 + 3 / 16 * ratio) / (1 + ratio / 2)


def jackknife_variance(deviations: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(prompts, units, …) deviations of the estimates that leave a unit out → (prompts, …) variance of the estimate."""
    factor = (units - 1) / np.maximum(units, 1)
    return factor.reshape(-1, *[1] * (deviations.ndim - 2)) * (deviations**2).sum(1)


def _mean(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    return np.where(there, values, 0).sum(1) / np.maximum(there.sum(1), 1)
