"""What is kept of one prompt's gradients: their mean, and of each unit what the noise correction and intervals need.

Only making them needs torch; reading and comparing them does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Gradients:
    """The gradients of one class of rollouts; anything with these shapes will do, arrays or rows of a file.

    ids: prompts that have such rollouts. mean: (prompts, dim), over rollouts, float32. counts: (prompts, units)
    rollouts in each unit, 0 past the last. norms2, dots: (prompts, units) squared norm of a unit's summed gradient and
    its inner product with the sum over all units. sketches: (prompts, units, sketch) the units' sums, projected.
    distinct: (prompts,) different rollouts among them. states: (prompts, hidden) the last hidden state at the end of
    each prompt, hidden 0 where it was not kept.
    """

    ids: Sequence[str]
    mean: np.ndarray
    counts: np.ndarray
    norms2: np.ndarray
    dots: np.ndarray
    sketches: np.ndarray
    distinct: np.ndarray
    states: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def n(self) -> np.ndarray:
        """Rollouts behind each prompt, (prompts,)."""
        return self.counts.sum(1)


ARRAYS = tuple(field.name for field in fields(Gradients) if field.name not in ("ids", "states"))


class Sketch:
    """A count sketch: each coordinate goes, with a sign, to one of `size`; inner products stay, on average.

    Its error is about 1/√size of the norms. With size 0, or one not below dim, nothing is projected.
    """

    def __init__(self, dim: int, size: int, seed: int = 0, device="cpu"):
        import torch

        self.size = dim if not 0 < size < dim else size
        generator = torch.Generator().manual_seed(seed)
        self.place = torch.randint(0, self.size, (dim,), generator=generator).to(device)
        self.sign = (torch.randint(0, 2, (dim,), generator=generator) * 2 - 1).to(device, torch.int8)
        self.identity = self.size == dim

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """(n, dim) → (n, size)."""
        import torch

        if self.identity:
            return vectors
        zeros = torch.zeros(len(vectors), self.size, dtype=vectors.dtype, device=vectors.device)
        return zeros.index_add_(1, self.place, vectors * self.sign)


def summarise(
    sums: torch.Tensor, counts: Sequence[int], units: int, sketch: Sketch, distinct: int
) -> dict[str, np.ndarray]:
    """One prompt's row of every array of `Gradients`. sums: (its units, dim); counts: their rollouts."""
    import torch

    total = sums.sum(0)
    exact = sums.double()
    small = {
        "counts": torch.tensor(counts, dtype=torch.int32),
        "norms2": exact.pow(2).sum(1),
        "dots": exact @ exact.sum(0),
        "sketches": sketch(sums),
    }
    row = {"mean": (total / sum(counts)).cpu().numpy(), "distinct": np.int32(distinct)}
    for name, values in small.items():
        padded = values.new_zeros(units, *values.shape[1:])
        padded[: len(values)] = values
        row[name] = padded.cpu().numpy()
    return row


def pick(array, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """These rows of one of the arrays, in memory; the array may be in a file."""
    return np.stack([array[int(row) : int(row) + 1][0] for row in rows])


def stack(ids: Sequence[str], rows: Sequence[dict[str, np.ndarray]]) -> Gradients:
    """Gradients of prompts one after the other."""
    names = [*ARRAYS, *["states"] * ("states" in rows[0])]
    return Gradients(list(ids), **{name: np.stack([row[name] for row in rows]) for name in names})
