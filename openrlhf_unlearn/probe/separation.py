"""How well similarity tells learnable from unlearnable prompts, at equal numbers of rollouts too."""

from collections.abc import Sequence

import numpy as np

from openrlhf_unlearn.probe.cosines import Similarity
from openrlhf_unlearn.probe.summary import Gradients, pick
from openrlhf_unlearn.stats.auc import auc_with_interval

DRAWS = 20
MOST = 500  # prompts of a group that are compared at equal numbers of rollouts
SMALLEST = 10  # prompts of each group that a comparison at equal numbers of rollouts needs


def separation(gradients: Gradients, found: Similarity, groups: Sequence[str], seed: int = 0) -> dict:
    """AUC of telling learnable from unlearnable by mean cosine to all others, with its interval over prompts: plain,
    corrected, and plain at equal numbers of rollouts, drawn at random. Empty without enough of both."""
    groups = np.array(groups)
    result = {}
    for name, values in (("plain", found.plain[:, 0]), ("corrected", found.corrected[:, 0])):
        if entry := _auc(values, groups):
            result[name] = entry
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(groups == name))[:MOST] for name in sorted(set(groups))]
    rows = np.sort(np.concatenate(chosen))
    counts, sketches = np.asarray(gradients.counts)[rows], pick(gradients.sketches, rows)
    result["equal"] = []
    for k in (1, 2, 4, 8, 16, 32):
        if entry := _auc(equal_numbers(counts, sketches, k, rng), groups[rows]):
            result["equal"].append({"rollouts": k, **entry})
    return result


def _auc(values: np.ndarray, groups: np.ndarray) -> dict | None:
    low, high = (values[(groups == name) & np.isfinite(values)] for name in ("unlearnable", "learnable"))
    if min(len(low), len(high)) < SMALLEST:
        return None
    return auc_with_interval(low, high)


def equal_numbers(counts: np.ndarray, sketches: np.ndarray, k: int, rng) -> np.ndarray:
    """Mean plain cosine to all others, (prompts,), when each gradient is of k rollouts drawn at random (whole units; an
    average over draws); nan for prompts that cannot have just k. counts, sketches: as in `Gradients`."""
    values = np.zeros(len(counts))
    for _ in range(DRAWS):
        chosen = np.stack([_draw(row, k, rng) for row in counts]).astype(np.float32)
        means = np.einsum("pu,pum->pm", chosen, sketches)
        norm = np.linalg.norm(means, axis=1, keepdims=True)
        means = np.divide(means, norm, out=np.zeros_like(means), where=norm > 0)
        others = max((norm > 0).sum() - 1, 1)
        values += np.where(norm[:, 0] > 0, (means @ means.sum(0) - 1) / others, np.nan)
    return values / DRAWS


def _draw(counts: np.ndarray, k: int, rng) -> np.ndarray:
    """(units,) 1 for units, at random, of just k rollouts together; all 0 where there are none."""
    chosen, left = np.zeros(len(counts)), k
    for unit in rng.permutation(int((counts > 0).sum())):
        if counts[unit] <= left:
            chosen[unit], left = 1, left - counts[unit]
    return chosen * (left == 0)
