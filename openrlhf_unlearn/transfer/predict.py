"""How training on each cluster of prompts is predicted to change every cluster, itself included.

A small step against the training gradient t of one prompt changes the log-likelihood of another's correct rollouts, a
token, by the step's size times t · m, with m the gradient of that other prompt. The entry (a, b) of the map is the mean
of t_p · m_q over prompts p of a and others q of b: q is never p, so a cluster's entry with itself is what training on
some of its prompts does to the rest of them, and the noise of few rollouts, which is different in p and q, averages out
of every entry (an inner product of means, unlike a cosine, is not drawn toward 0 by it).

Intervals leave out one prompt at a time (a jackknife), and so cover the choice of prompts as well as rollouts. An entry
differs from 0 (*told*) where its p is small enough for a false discovery rate of 5 % over the map (Benjamini-Hochberg).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from openrlhf_unlearn.probe.measures.between_rollouts import row_blocks

LEVEL = 0.95
RATE = 0.05  # of false discoveries among the entries that differ from 0
LEAST = 4  # prompts of a cluster, below which its spread is not known


@dataclass(frozen=True)
class Map:
    """names, sizes: (clusters,). value, low, high, p: (trained clusters, changed clusters); told: the same, bool."""

    names: list[str]
    sizes: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray

    @property
    def told(self) -> np.ndarray:
        """Entries that differ significantly from 0."""
        found = np.zeros(self.p.shape, bool)
        known = np.isfinite(self.p)
        if known.any():
            found[known] = stats.false_discovery_control(self.p[known]) < RATE
        return found


def transfer_map(
    train: Any, feel: Any, clusters: Sequence[str], scale: np.ndarray | None = None, sketch: int = 0
) -> Map:
    """train, feel: (prompts, dim) the gradient that a prompt trains by and that of its own log-likelihood, of the same
    sign and in the same order, arrays or what reads slices of rows; clusters: (prompts,) a name each, "" for none.
    Clusters below LEAST are left out. scale: (prompts,) that `feel` is multiplied by. sketch: where rows are sketches,
    their size: all share one hash, so its error, |a| |b| / √size, is in the interval and p of every entry.

    Costs prompts x clusters x dim; no matrix of all pairs of prompts is made, and memory holds a block of prompts.
    """
    all_names = np.array(clusters)
    names = [name for name in sorted(set(clusters) - {""}) if (all_names == name).sum() >= LEAST]
    members = np.stack([all_names == name for name in names], 1).astype(np.float32) if names else np.zeros((0, 0))
    if not names:
        empty = np.zeros((0, 0))
        return Map([], np.zeros(0, int), empty, empty, empty, empty)
    sizes = members.sum(0).astype(int)
    factor = np.ones(len(clusters), np.float32) if scale is None else scale.astype(np.float32)
    sums = np.zeros((2, len(names), feel.shape[1]), np.float32)  # of train and of feel over each cluster
    for block in row_blocks(feel.shape):
        gradients = train[block], feel[block]
        sums += np.stack([members[block].T @ gradients[0], (members * factor[:, None])[block].T @ gradients[1]])
    gives, takes = np.zeros((2, len(clusters), len(names)))  # summed over the cluster's others
    for block in row_blocks(feel.shape):
        t, m = train[block], feel[block] * factor[block, None]
        own = members[block] * np.einsum("pd,pd->p", t, m)[:, None]
        gives[block], takes[block] = t @ sums[1].T - own, m @ sums[0].T - own
    norms2 = (sums.astype(float) ** 2).sum(2) / sizes**2
    unseen = norms2[0][:, None] * norms2[1] / sketch if sketch else np.zeros((len(names), len(names)))
    shape = (len(names), len(names))
    value, low, high, p = (np.full(shape, np.nan) for _ in range(4))
    for a in range(len(names)):
        for b in range(len(names)):
            found = _entry(gives[members[:, a] > 0, b], takes[members[:, b] > 0, a], a == b, unseen[a, b])
            value[a, b], low[a, b], high[a, b], p[a, b] = found
    return Map(names, sizes, value, low, high, p)


def _entry(gives: np.ndarray, takes: np.ndarray, same: bool, unseen: float) -> tuple[float, float, float, float]:
    """Mean, interval and p against 0 from each trained prompt's sum over the changed ones, and the other way round.
    unseen: variance that is the same whichever prompt is left out."""
    n, m = len(gives), len(takes)
    total = gives.sum()
    value = total / (n * (m - 1) if same else n * m)
    if same:  # a prompt left out leaves both sides
        lefts = [(total - gives - takes) / ((n - 1) * (n - 2))]
    else:
        lefts = [(total - gives) / ((n - 1) * m), (total - takes) / (n * (m - 1))]
    variances = [(len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum() for left in lefts]
    freedoms = [len(left) - 1 for left in lefts]
    variance = sum(variances)
    if variance <= 0:  # all alike: without a spread nothing is known of the next prompt
        return value, np.nan, np.nan, np.nan
    variance += unseen
    freedom = variance**2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    error = np.sqrt(variance)
    half = stats.t.ppf(0.5 + LEVEL / 2, freedom) * error
    return value, value - half, value + half, float(2 * stats.t.sf(abs(value) / error, freedom))
