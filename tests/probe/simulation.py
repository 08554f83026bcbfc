"""Gradients whose true similarity is known: a mean of norm 1, and noise about it."""

import numpy as np
import torch

from openrlhf_unlearn.probe.packing import deal
from openrlhf_unlearn.probe.summary import Gradients, Sketch, stack, summarise


def simulated(
    rng, means: np.ndarray, n, noise: float = 9.0, spread: np.ndarray | None = None, units: int = 16, sketch: int = 0
) -> Gradients:
    """means: (prompts, dim), n: rollouts of each. noise: of one rollout, its squared norm over its mean's.

    spread: (dim,) relative standard deviation of each coordinate, all alike if None.
    """
    dim = means.shape[1]
    spread = np.ones(dim) if spread is None else spread
    spread = spread * np.sqrt(noise / (spread**2).sum())
    rows, projection = [], Sketch(dim, sketch)
    for mean, count in zip(means, n, strict=True):
        rollouts = mean + rng.standard_normal((count, dim)) * spread
        dealt = deal(count, units)
        sums = torch.tensor(np.stack([rollouts[members].sum(0) for members in dealt]))
        rows.append(summarise(sums, [len(members) for members in dealt], units, projection))
    return stack([f"p{i}" for i in range(len(n))], rows)


def alike(prompts: int, dim: int, cosine: float, start: int = 0) -> np.ndarray:
    """Unit vectors, (prompts, dim), each pair with this cosine: √cosine along coordinate 0, the rest apart."""
    means = np.zeros((prompts, dim))
    means[:, 0] = np.sqrt(cosine)
    means[np.arange(prompts), 1 + start + np.arange(prompts)] = np.sqrt(1 - cosine)
    return means
