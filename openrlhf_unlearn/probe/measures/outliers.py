"""Which hard prompts are gradient outliers: a test at a stated error rate, or no word.

A prompt's rollouts may agree with one another and yet share little with other prompts: that is an outlier. Few or loud
rollouts lower its cosines too, and are none. So each hard prompt is tested at its own rollouts, against

    its true cosine to the direction of the other hard prompts is at least half of what is typical of them.

With y_u its units' gradients at length 1, h_u their inner products with that direction and c half the typical cosine,
the mean over units u ≠ v of h_u h_v - c² y_u · y_v is 0 or more on average then, whatever the noise. It is held against
its spread when a unit is left out (Student, one-sided). What is called an outlier are those that Benjamini and Hochberg
(1995) keep at a false discovery rate of 5 %; labels have no part in it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.measures.between_rollouts import blocks, directions, unit_directions
from openrlhf_unlearn.probe.measures.noise import MIN_DISTINCT

RATE = 0.05  # false discoveries among those called outliers, and the chance of any where there is none
SHARE = 0.5  # of the typical cosine, below which a prompt is an outlier: fixed beforehand, a cautious reading of "low"
SURE = 3  # standard errors by which what is typical must exceed 0
MIN_UNITS = 4  # of a prompt that is tested
FEWEST = 20  # hard prompts with two units, without which nothing is typical


@dataclass(frozen=True)
class Outliers:
    """p: (prompts,) of the test, nan where there is none: not hard, too few rollouts, or nothing typical to compare
    with. called: (prompts,) bool."""

    p: np.ndarray
    called: np.ndarray


def outliers(gradients: Gradients, hard: np.ndarray) -> Outliers:
    """hard: (prompts,) bool, told by the rollouts before training."""
    size, p = len(gradients.ids), np.full(len(gradients.ids), np.nan)
    slices = list(blocks(gradients, "sketches"))
    total = np.sum([hard[block].astype(np.float32) @ directions(gradients, block)[0] for block in slices], axis=0)
    typical = [_parts(gradients, block, total, hard) for block in slices]
    along, both, agreement, units = (np.concatenate(part) for part in zip(*typical, strict=True))
    counted = hard & (units > 1)
    if counted.sum() >= FEWEST and (cosine2 := _typical(along[counted], both[counted], agreement[counted])):
        for block in slices:
            p[block] = _p_values(gradients, block, total, hard, SHARE**2 * cosine2)
        p[~hard] = np.nan
    tested, called = np.isfinite(p), np.zeros(size, bool)
    if tested.any():
        called[tested] = stats.false_discovery_control(p[tested]) <= RATE
    return Outliers(p, called)


def _toward_others(gradients: Gradients, block: slice, total: np.ndarray, hard: np.ndarray):
    """(units at length 1, their inner products with the direction of the other hard prompts, which units are there)."""
    units, own = unit_directions(gradients, block), directions(gradients, block)[0]
    others = total - hard[block, None] * own
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-30)
    return units, np.einsum("pum,pm->pu", units, others).astype(float), np.asarray(gradients.counts[block]) > 0


def _parts(gradients: Gradients, block: slice, total: np.ndarray, hard: np.ndarray):
    """Mean of h_u; over pairs of units, of h_u h_v and of y_u · y_v, nan for one unit; how many units; (rows,) each."""
    units, along, there = _toward_others(gradients, block, total, hard)
    n, mean = there.sum(1), units.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = np.where(n > 1, n * (n - 1), np.nan)
        both = (along.sum(1) ** 2 - (along**2).sum(1)) / pairs
        return along.sum(1) / n, both, ((mean**2).sum(1) - (units**2).sum((1, 2))) / pairs, n


def _typical(along: np.ndarray, both: np.ndarray, agreement: np.ndarray) -> float | None:
    """Squared cosine of a typical hard prompt to the others' direction: a ratio of sums. None if they may share none,
    or if their units agree no more than by chance."""
    sure = all(v.mean() > SURE * v.std(ddof=1) / np.sqrt(len(v)) for v in (along, both, agreement))
    return float(both.sum() / agreement.sum()) if sure else None


def _p_values(gradients: Gradients, block: slice, total: np.ndarray, hard: np.ndarray, least2: float) -> np.ndarray:
    units, along, there = _toward_others(gradients, block, total, hard)
    n = there.sum(1)
    mean = units.sum(1)
    own = along**2 - least2 * (units**2).sum(2)  # of a unit with itself, which does not count
    dots = along * along.sum(1, keepdims=True) - least2 * np.einsum("pum,pm->pu", units, mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (dots.sum(1) - own.sum(1)) / (n * (n - 1))
        left = (dots.sum(1)[:, None] - 2 * dots + own - (own.sum(1)[:, None] - own)) / ((n - 1) * (n - 2))[:, None]
        left = np.where(there, left - (np.where(there, left, 0).sum(1) / n)[:, None], 0)
        error = np.sqrt((n - 1) / n * (left**2).sum(1))
        p = stats.t.cdf(found / error, n - 1)
    told = (n >= MIN_UNITS) & (np.asarray(gradients.distinct[block]) >= MIN_DISTINCT) & (error > 0)
    return np.where(told, p, np.nan)
