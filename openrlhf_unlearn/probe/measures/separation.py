"""How well similarity tells learnable from unlearnable prompts, at equal numbers of rollouts too."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients, pick
from openrlhf_unlearn.probe.measures.cosines import Similarity
from openrlhf_unlearn.stats.auc import Area, auc_with_interval

DRAWS = 20
MOST = 500  # prompts of a group that are compared at equal numbers of rollouts
SMALLEST = 10  # prompts of each group that a comparison at equal numbers of rollouts needs


def separation(gradients: Gradients, found: Similarity, groups: Sequence[str], seed: int = 0) -> dict:
    """AUC of telling learnable from unlearnable by mean cosine to all others, with its interval over prompts: plain,
    corrected, and plain with the noise of equal numbers of rollouts. Empty without enough of both."""
    labels = np.array(groups)
    result: dict[str, Any] = {}
    for name, values in (("plain", found.plain[:, 0]), ("corrected", found.corrected[:, 0])):
        if entry := _auc(values, labels):
            result[name] = entry
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(labels == name))[:MOST] for name in sorted(set(groups))]
    rows = np.sort(np.concatenate(chosen))
    counts, sketches = np.asarray(gradients.counts)[rows], pick(gradients.sketches, rows)
    result["equal"] = []
    for k in (1, 2, 4, 8, 16, 32):
        if entry := _auc(equal_numbers(counts, sketches, k, rng), labels[rows]):
            result["equal"].append({"rollouts": k, **entry})
    return result


def _auc(values: np.ndarray, groups: np.ndarray) -> Area | None:
    low, high = (values[(groups == name) & np.isfinite(values)] for name in ("unlearnable", "learnable"))
    if min(len(low), len(high)) < SMALLEST:
        return None
    return auc_with_interval(low, high)


def equal_numbers(counts: np.ndarray, sketches: np.ndarray, k: int, rng) -> np.ndarray:
    """Mean plain cosine to all others, (prompts,), when each gradient is as noisy as one of k rollouts (an average over
    draws); nan for prompts with fewer, or with more in a single unit. counts, sketches: as in `Gradients`.

    A mean of units weighted by their rollouts plus a random contrast of them, so large that the noise of both together
    is that of k rollouts: so every number of rollouts from k on enters, however they were dealt into units.
    """
    n, there = counts.sum(1), counts > 0
    possible = (n == k) | ((n > k) & (there.sum(1) > 1))
    means = np.divide(sketches, counts[..., None], out=np.zeros_like(sketches), where=there[..., None])
    values = np.zeros(len(counts))
    for _ in range(DRAWS):
        contrast = np.where(there, rng.standard_normal(counts.shape), 0)
        contrast -= np.where(there, (contrast.sum(1) / np.maximum(there.sum(1), 1))[:, None], 0)
        noise = np.divide(contrast**2, counts, out=np.zeros(counts.shape), where=there).sum(1)
        size = np.divide(1 / k - 1 / n, noise, out=np.zeros(len(n)), where=possible & (noise > 0))
        weights = counts / n[:, None] + np.sqrt(np.maximum(size, 0))[:, None] * contrast
        drawn = np.einsum("pu,pum->pm", (weights * possible[:, None]).astype(np.float32), means)
        norm = np.linalg.norm(drawn, axis=1, keepdims=True)
        drawn = np.divide(drawn, norm, out=np.zeros_like(drawn), where=norm > 0)
        others = max((norm > 0).sum() - 1, 1)
        values += np.where(norm[:, 0] > 0, (drawn @ drawn.sum(0) - 1) / others, np.nan)
    return values / DRAWS
