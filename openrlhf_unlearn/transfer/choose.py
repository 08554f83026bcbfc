"""What to train on for a set of target prompts: a pool ranked by predicted effect, with two controls of equal size.

The score of a row is the mean over targets of the inner product of its gradient with the target's unit gradient: by
how much a small step on it raises their log-likelihood (as LESS, arXiv 2402.04333, but a row that teaches more counts
more). Targets' gradients are of unit length, or one large one would decide the choice. A row is *told* to help where
its score is above 0 over the targets (Student's t) at a false discovery rate of 5 % over the pool: of random gradients,
too, half have a score above 0. The controls: as many rows drawn at random, and those whose text is nearest to the
targets'.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from openrlhf_unlearn.transfer.baselines import text_vectors
from openrlhf_unlearn.transfer.predict import RATE


@dataclass(frozen=True)
class Choice:
    """Rows of the pool: the best by score, best first; as many at random; as many nearest by text. score, told:
    (pool,); helps: (pool,) share of the targets whose log-likelihood a row is predicted to raise."""

    chosen: list[int]
    random: list[int]
    nearest: list[int]
    score: np.ndarray
    told: np.ndarray
    helps: np.ndarray


def choose_rows(
    pool: np.ndarray, targets: np.ndarray, texts: list[str], target_texts: list[str], budget: int, seed: int
) -> Choice:
    """pool: (rows, dim) training gradients; targets: (prompts, dim). Rows that are predicted to harm are never chosen,
    so there may be fewer than `budget`; the controls are then as few."""
    units = targets / np.maximum(np.linalg.norm(targets, axis=1, keepdims=True), 1e-30)
    each = (pool @ units.T).astype(float)  # (rows, targets)
    score = each.mean(1)
    order = np.argsort(-score, kind="stable")
    chosen = [int(row) for row in order[:budget] if score[row] > 0]
    random = np.random.default_rng(seed).permutation(len(pool))[: len(chosen)].tolist()
    vectors = text_vectors([*texts, *target_texts])
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    likeness = unit[: len(texts)] @ unit[len(texts) :].mean(0)
    nearest = np.argsort(-likeness, kind="stable")[: len(chosen)].tolist()
    return Choice(chosen, random, nearest, score, _told(each), (each > 0).mean(1))


def _told(each: np.ndarray) -> np.ndarray:
    """(rows,) whose mean over targets is above 0; none where a single target, or equal ones, show no spread."""
    n = each.shape[1]
    if n < 2:
        return np.zeros(len(each), bool)
    error = each.std(1, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(error > 0, stats.t.sf(each.mean(1) / error, n - 1), 1.0)
    return stats.false_discovery_control(p) < RATE
