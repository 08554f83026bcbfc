"""The prompts nearest to and farthest from each prompt by gradient, from sketches, a block of pairs at a time."""

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.measures.cosines import blocks

ROWS = 1024  # of the matrix of cosines in memory at a time
SHOWN = 5


def neighbours(gradients: Gradients, shown: int = SHOWN) -> tuple[list, list]:
    """(nearest, farthest): for each prompt a list of (row, plain cosine), itself left out."""
    parts = [gradients.sketches[block].sum(1) for block in blocks(gradients, "sketches")]
    vectors = np.concatenate(parts)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    shown = min(shown, len(vectors) - 1)
    nearest, farthest = [], []
    for start in range(0, len(vectors), ROWS):
        cosines = vectors[start : start + ROWS] @ vectors.T
        for row, values in enumerate(cosines, start):
            values[row] = -np.inf
            nearest.append(_top(values, shown, -1))
            values[row] = np.inf
            farthest.append(_top(values, shown, 1))
    return nearest, farthest


def _top(values: np.ndarray, shown: int, sign: int) -> list[tuple[int, float]]:
    if not shown:
        return []
    rows = np.argpartition(sign * values, shown - 1)[:shown]
    return [(int(row), float(values[row])) for row in rows[np.argsort(sign * values[rows])]]
