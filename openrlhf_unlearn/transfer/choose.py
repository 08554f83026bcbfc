"""What to train on for a set of target prompts: a pool ranked by predicted effect, with two controls of equal size.

The score of a row is the inner product of its gradient with the mean gradient of the targets' correct rollouts: by how
much a small step on it raises their log-likelihood (as LESS, arXiv 2402.04333, but without normalising: a row that
teaches more counts more). The controls: as many rows drawn at random, and those whose text is nearest to the targets'.
"""

from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.transfer.baselines import text_vectors


@dataclass(frozen=True)
class Choice:
    """Rows of the pool: the best by score, best first; as many at random; as many nearest by text. score: (pool,)."""

    chosen: list[int]
    random: list[int]
    nearest: list[int]
    score: np.ndarray


def choose_rows(
    pool: np.ndarray, targets: np.ndarray, texts: list[str], target_texts: list[str], budget: int, seed: int
) -> Choice:
    """pool: (rows, dim) training gradients; targets: (prompts, dim). Rows that are predicted to harm are never chosen,
    so there may be fewer than `budget`; the controls are then as few."""
    score = (pool @ targets.mean(0)).astype(float)
    order = np.argsort(-score, kind="stable")
    chosen = [int(row) for row in order[:budget] if score[row] > 0]
    random = np.random.default_rng(seed).permutation(len(pool))[: len(chosen)].tolist()
    vectors = text_vectors([*texts, *target_texts])
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    likeness = unit[: len(texts)] @ unit[len(texts) :].mean(0)
    nearest = np.argsort(-likeness, kind="stable")[: len(chosen)].tolist()
    return Choice(chosen, random, nearest, score)
