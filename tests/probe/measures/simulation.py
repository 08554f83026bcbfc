"""Gradients whose true similarity is known: a mean of norm 1, and noise about it."""

import numpy as np
import torch

from openrlhf_unlearn.probe.engine.packing import deal
from openrlhf_unlearn.probe.gradient_summary import Gradients, Sketch, stack, summarise


def simulated(
    rng, means: np.ndarray, n, noise: float = 9.0, spread: np.ndarray | None = None, units: int = 16, sketch: int = 0
) -> Gradients:
    """means: (prompts, dim), n: rollouts of each. noise: of one rollout, its squared norm over its mean's.

    spread: (dim,) relative standard deviation of each coordinate, all alike if None.
    """
    spread = np.ones(means.shape[1]) if spread is None else spread
    spread = spread * np.sqrt(noise / (spread**2).sum())
    shape = len(means), max(n), means.shape[1]
    return gathered(means[:, None] + rng.standard_normal(shape, np.float32) * spread, n, units, sketch)


def gathered(rollouts: np.ndarray, n, units: int, sketch: int = 0) -> Gradients:
    """What the probe keeps of the first n of each prompt's rollouts, (prompts, rollouts, dim), dealt into units."""
    prompts, most, dim = rollouts.shape
    there = np.arange(-(-most // units) * units) < np.asarray(n)[:, None]
    padded = np.zeros((*there.shape, dim), np.float32)
    padded[:, :most] = rollouts * there[:, :most, None]
    sums = padded.reshape(prompts, -1, units, dim).sum(1)
    exact = sums.astype(float)
    total = exact.sum(1)
    sketches = Sketch(dim, sketch)(torch.tensor(sums.reshape(-1, dim))).numpy().reshape(prompts, units, -1)
    return Gradients(
        [f"p{i}" for i in range(prompts)],
        mean=(total / np.asarray(n)[:, None]).astype(np.float32),
        counts=there.reshape(prompts, -1, units).sum(1).astype(np.int32),
        norms2=(exact**2).sum(2),
        dots=np.einsum("pud,pd->pu", exact, total),
        sketches=sketches,
        distinct=np.array(n, np.int32),
    )


def drawn(rng, texts: np.ndarray, shares: np.ndarray, n, units: int = 10) -> Gradients:
    """Rollouts drawn from each prompt's few texts. texts: (prompts, texts, dim) gradients, shares: (texts,)."""
    rows = []
    for mine, count in zip(texts, n, strict=True):
        chosen = rng.choice(len(shares), count, p=shares)
        row = summed(mine[chosen], deal(count, units), units, Sketch(texts.shape[2], 0), len(set(chosen)))
        rows.append(row)
    return stack([f"p{i}" for i in range(len(rows))], rows)


def summed(rollouts: np.ndarray, dealt: list[list[int]], units: int, sketch: Sketch, distinct: int | None = None):
    """A prompt's row of `Gradients` from its rollouts' gradients, (rollouts, dim)."""
    sums = torch.tensor(np.stack([rollouts[members].sum(0) for members in dealt]))
    return summarise(sums, [len(members) for members in dealt], units, sketch, distinct or len(rollouts))


def alike(prompts: int, dim: int, cosine: float, start: int = 0) -> np.ndarray:
    """Unit vectors, (prompts, dim), each pair with this cosine: √cosine along coordinate 0, the rest apart."""
    means = np.zeros((prompts, dim))
    means[:, 0] = np.sqrt(cosine)
    means[np.arange(prompts), 1 + start + np.arange(prompts)] = np.sqrt(1 - cosine)
    return means
