"""How far the rollouts of one prompt agree by gradient: what tells signal from noise, without leaving the prompt."""

from collections.abc import Iterator

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients

BLOCK_BYTES = 128 << 20  # of gradients in memory at a time
MIN_UNITS = 3  # of a prompt, from which it is known how uncertain its agreement is


def blocks(gradients: Gradients, array: str = "mean") -> Iterator[slice]:
    """Slices of prompts whose rows of this array fit into BLOCK_BYTES."""
    return row_blocks(getattr(gradients, array).shape)


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """The same of any float32 array of this shape."""
    step = max(1, BLOCK_BYTES // (4 * int(np.prod(shape[1:]))))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


class Agreement:
    """How far a prompt's units agree, (prompts,) each. value: mean over pairs of units of their cosine, nan for one.

    error2: its variance, by leaving out one unit at a time, nan below MIN_UNITS. size: mean rollouts of a unit.
    """

    def __init__(self, gradients: Gradients):
        found = [directions(gradients, block)[1:] for block in blocks(gradients, "sketches")]
        self.value, self.error2 = (np.concatenate(part) for part in zip(*found, strict=True))
        counts = np.asarray(gradients.counts)
        self.size = counts.sum(1) / np.maximum((counts > 0).sum(1), 1)


def unit_directions(gradients: Gradients, block: slice) -> np.ndarray:
    """(rows, units, sketch) the units' gradients at length 1; 0 past the last, and where there is none."""
    there = np.asarray(gradients.counts[block]) > 0
    norms = np.sqrt(np.asarray(gradients.norms2[block], float))
    scale = np.divide(1, norms, out=np.zeros_like(norms), where=there & (norms > 0))
    return gradients.sketches[block] * scale[..., None].astype(np.float32)


def directions(gradients: Gradients, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean of a prompt's units at length 1, (rows, sketch), its agreement, the variance of that) of these rows."""
    there, units = np.asarray(gradients.counts[block]) > 0, unit_directions(gradients, block)
    total, n = units.sum(1), there.sum(1)
    own, dots = (units**2).sum(2).astype(float), np.einsum("pum,pm->pu", units, total).astype(float)
    all2 = (total**2).sum(1).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(n > 1, (all2 - own.sum(1)) / (n * (n - 1)), np.nan)
        left = all2[:, None] - 2 * dots + own - (own.sum(1)[:, None] - own)
        left = np.where(there, left / ((n - 1) * (n - 2))[:, None], 0)
        left = np.where(there, left - (left.sum(1) / n)[:, None], 0)
        error2 = np.where(n >= MIN_UNITS, (n - 1) / n * (left**2).sum(1), np.nan)
    return total / np.maximum(n, 1)[:, None], value, error2


def of_one_rollout(agreement: Agreement, mine: np.ndarray) -> float:
    """Mean cosine of two single rollouts of a prompt, over the prompts `mine`, nan where none has two units."""
    there = mine & np.isfinite(agreement.value)
    seen, size = np.clip(agreement.value[there], -0.5, 0.999), agreement.size[there]
    return float(np.clip((seen / (size - (size - 1) * seen)).mean(), 1e-3, 1)) if there.any() else np.nan


def reliability(rollout: float, n: np.ndarray) -> np.ndarray:
    """The agreement of means of n rollouts each, where that of two rollouts is known (Spearman 1910, Brown 1910)."""
    return n * rollout / (1 + (n - 1) * rollout)
