"""Groups against each other with the noise taken out, where most prompts have too few rollouts for it by themselves.

The cosine of a mean of n rollouts' gradients with anything else is smaller by √(1 + κ/n) than the true direction's, κ
being a rollout's noise over its signal. One prompt's κ takes many rollouts to know; a group's does not: for rollouts
i ≠ j of one prompt, g_i · g_j over the mean ‖g‖² is 1 / (1 + κ) on average, and that is averaged over the group. So
each prompt, even one with a single correct rollout, counts alike, at the price of one assumption: κ is the group's own.
Intervals leave out one prompt at a time, and cover the choice of prompts as well as rollouts.
"""

from collections.abc import Sequence

import numpy as np

from openrlhf_unlearn.probe.cosines import blocks
from openrlhf_unlearn.probe.noise import noise
from openrlhf_unlearn.probe.summary import Gradients
from openrlhf_unlearn.report.statistics import Z

SMALLEST = 5  # prompts of a group with two rollouts, below which its κ is not known
LEAST = 2  # standard errors by which the agreement of a prompt's rollouts must exceed 0


class Pooled:
    """matrix: a row for each pair of groups; to_all: by group, to all other prompts. Both have plain, corrected, low
    and high (95 %); the last three are None where there are too few prompts with two rollouts, or only noise."""

    def __init__(self, gradients: Gradients, groups: Sequence[str]):
        self.groups = np.array(groups)
        self.names = sorted(set(groups) - {""}) or [""]
        self.members = np.stack([self.groups == name for name in self.names], 1)
        self.sizes = self.members.sum(0)
        values = agreement(gradients)
        self.kappa, self.kappa_moves = zip(*(_kappa(values, mine) for mine in self.members.T), strict=True)
        own = self.members @ np.nan_to_num(self.kappa)
        factor = np.sqrt(1 + own / gradients.n)  # what undoes the shrinking
        slope = 0.5 / gradients.n / factor  # and how it moves with κ
        self.plain, products, slopes = _products(gradients, self.members, [np.ones(len(own)), factor, slope])
        self.products, self.slopes = products * factor[:, None], slopes * factor[:, None]
        pairs = {(i, j): self._pair(i, j) for i in range(len(self.names)) for j in range(len(self.names))}
        self.matrix = [
            {
                "a": self.names[i],
                "b": self.names[j],
                "prompts": [int(self.sizes[i]), int(self.sizes[j])],
                **self._entry([pair]),
            }
            for (i, j), pair in pairs.items()
            if i <= j
        ]
        self.to_all = {
            name: self._entry([pairs[i, j] for j in range(len(self.names)) if i == j or self.known(j)])
            for i, name in enumerate(self.names)
        }

    def known(self, i: int) -> bool:
        return bool(np.isfinite(self.kappa[i]))

    def _pair(self, i: int, j: int) -> dict:
        """Over pairs of a prompt of group i and another of group j: how many, the plain mean, the corrected one, and
        how that moves when a prompt is left out, (prompts,); the last two only where they are known."""
        count = self.sizes[i] * (self.sizes[j] - (i == j))
        found = {"pairs": count, "plain": self._mean(self.plain, i, j)}
        if self.known(i) and self.known(j):
            moves = np.zeros(len(self.groups))
            for a, b in {(i, j), (j, i)}:
                mine, both = self.members[:, a], 2 if i == j else 1  # a prompt left out leaves both sides
                side, n = self.products[mine, b], self.sizes[a]
                left = (side.sum() - both * side) / ((n - 1) * (n - 2 if i == j else self.sizes[b]))
                moves[mine] += left - left.mean() + both * self._mean(self.slopes, b, a) * self.kappa_moves[a][mine]
            found |= {"corrected": self._mean(self.products, i, j), "moves": moves}
        return found

    def _mean(self, products: np.ndarray, i: int, j: int) -> float | None:
        pairs = self.sizes[i] * (self.sizes[j] - (i == j))
        return float(products[self.members[:, i], j].sum() / pairs) if pairs else None

    def _entry(self, pairs: list[dict]) -> dict:
        """Mean over all these pairs of prompts, with the interval of the corrected one."""
        there = [pair for pair in pairs if pair["pairs"]]
        weights = np.array([pair["pairs"] for pair in there], float)
        entry = dict.fromkeys(("plain", "corrected", "low", "high"))
        if not there:
            return entry
        weights /= weights.sum()
        entry["plain"] = float(weights @ [pair["plain"] for pair in there])
        if all("corrected" in pair for pair in there):
            entry["corrected"] = value = float(weights @ [pair["corrected"] for pair in there])
            moves = weights @ np.stack([pair["moves"] for pair in there])
            n = self.members @ self.sizes  # of each prompt's own group; 0 without one
            half = Z * np.sqrt(((n - 1) / np.maximum(n, 1) * moves**2).sum())
            entry |= {"low": float(value - half), "high": float(value + half)}
        return entry


def _kappa(agreement: np.ndarray, mine: np.ndarray) -> tuple[float, np.ndarray]:
    """(κ of a group, nan if not known; how it moves when a prompt is left out, (prompts,))."""
    there = mine & np.isfinite(agreement)
    values, moves = agreement[there], np.zeros(len(mine))
    n = len(values)
    if n < SMALLEST or values.mean() < LEAST * values.std(ddof=1) / np.sqrt(n):
        return np.nan, moves
    without = 1 / np.maximum((values.sum() - values) / (n - 1), 1e-3)
    moves[there] = without - without.mean()
    return max(1 / values.mean() - 1, 0.0), moves


def agreement(gradients: Gradients) -> np.ndarray:
    """(prompts,) g_i · g_j of a prompt's rollouts over their mean squared norm, nan for those with one unit."""
    norm2, counts = noise(gradients).norm2, np.asarray(gradients.counts, float)
    n = counts.sum(1)
    rollout2 = (np.asarray(gradients.norms2).sum(1) - ((counts**2).sum(1) - n) * norm2) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(rollout2 > 0, norm2 / rollout2, np.nan)


def _products(gradients: Gradients, members: np.ndarray, factors: list[np.ndarray]) -> list[np.ndarray]:
    """For each factor f, (prompts,): (prompts, groups) of m̂_p · Σ f_q m̂_q over the group's other prompts q."""
    norm = np.sqrt(np.asarray(gradients.dots).sum(1)) / gradients.n
    inverse = np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)
    weights = np.concatenate([members * factor[:, None] for factor in factors], 1)
    scaled = (weights * inverse[:, None]).astype(np.float32)
    sums = sum(scaled[block].T @ gradients.mean[block] for block in blocks(gradients))
    products = np.concatenate([gradients.mean[block] @ sums.T for block in blocks(gradients)]) * inverse[:, None]
    return np.split(products - weights * (norm > 0)[:, None], len(factors), 1)
