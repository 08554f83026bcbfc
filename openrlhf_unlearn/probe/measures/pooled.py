"""Groups against each other with the noise taken out, where most prompts have too few rollouts for it by themselves.

A ratio of sums over prompts, not a mean of ratios. Each unit (a rollout or lot of them) is set to length 1, so that
neither long gradients nor loud rollouts rule. With x_p the mean of a prompt's units and w_p a weight of its own,

    mean over p ≠ q of w_p w_q x_p · x_q   over   mean over p of w_p² a_p,    a_p = mean over units u ≠ v of y_u · y_v

is the mean cosine of the true directions: above, noises of different prompts, and below, those of different units have
no inner product on average. So each prompt, even one with a single rollout, counts alike, whatever the noise. What
remains is that loud prompts count less; w_p = a_p^(-1/2) makes up for that, with a_p drawn toward what the group's has
in common by how uncertain it is (empirical Bayes). Intervals leave out one prompt at a time, and so cover the choice of
prompts as well as rollouts.
"""

import operator
from collections.abc import Sequence
from functools import reduce

import numpy as np
from scipy import stats

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.measures.between_rollouts import Agreement, blocks, directions, of_one_rollout, reliability

SMALLEST = 5  # prompts of a group with two units, below which its noise is not known
LEAST = 2  # standard errors by which the agreement of a group's units must exceed 0
# Where it is not known how the prompts of a group differ in noise, loud ones count less than they should, and these may
# be the more or the less alike. So the interval is widened toward 0 and away from it by up to so much of the estimate:
# what noises do that differ like exp(0.7 · normal), see tests/probe/measures/test_pooled.py.
UNKNOWN_SPREAD = np.array([0.1, 0.35])


class Pooled:
    """matrix: a row for each pair of groups; to_all: by group, to all other prompts. Both have plain, corrected, low
    and high (95 %); the last three are None where there are too few prompts with two units, or only noise."""

    def __init__(self, gradients: Gradients, groups: Sequence[str]):
        self.groups = np.array(groups)
        self.names = sorted(set(groups) - {""}) or [""]
        self.members = np.stack([self.groups == name for name in self.names], 1)
        self.sizes = self.members.sum(0)
        agreement = Agreement(gradients)
        weights = [_weights(agreement, mine) for mine in self.members.T]
        weight, self.signal, unknown = (np.select(self.members.T, [w[i] for w in weights], 0.0) for i in range(3))
        self.pairs_known = np.isfinite(agreement.value)
        self.unknown = [float(unknown[mine].mean()) if mine.any() else 0.0 for mine in self.members.T]
        self.known = [self._known(mine) for mine in self.members.T]
        self.plain = _products(gradients.mean.__getitem__, blocks(gradients), self.members, _inverse_norm(gradients))
        self.products = _products(
            lambda block: directions(gradients, block)[0], blocks(gradients, "sketches"), self.members, weight
        )
        pairs = {(i, j): self._pair(i, j) for i in range(len(self.names)) for j in range(len(self.names))}
        self.matrix = [
            {
                "a": self.names[i],
                "b": self.names[j],
                "prompts": [int(self.sizes[i]), int(self.sizes[j])],
                **self._entry(i, [pair]),
            }
            for (i, j), pair in pairs.items()
            if i <= j
        ]
        self.to_all = {
            name or "all": self._entry(i, [pairs[i, j] for j in range(len(self.names)) if i == j or self.known[j]])
            for i, name in enumerate(self.names)
        }

    def _known(self, mine: np.ndarray) -> bool:
        """Whether the group's units agree beyond chance."""
        values = self.signal[mine & self.pairs_known]
        if len(values) < SMALLEST:
            return False
        return bool(values.mean() > LEAST * values.std(ddof=1) / np.sqrt(len(values)))

    def _pair(self, i: int, j: int) -> dict:
        """Over pairs of a prompt of group i and another of group j: how many, the plain mean, the corrected one, and
        how that moves when a prompt is left out, (prompts,); the last three only where they are known."""
        count = int(self.sizes[i] * (self.sizes[j] - (i == j)))
        found = {"pairs": count, "plain": float(self.plain[self.members[:, i], j].sum() / count) if count else None}
        if not (count and self.known[i] and self.known[j] and self.sizes[i] > 2):
            return found
        total = self.products[self.members[:, i], j].sum()
        value = total / count / np.sqrt(self._signal(i) * self._signal(j))
        moves = np.zeros(len(self.groups))
        for a, b in {(i, j), (j, i)}:
            mine, both = self.members[:, a], 2 if i == j else 1  # a prompt left out leaves both sides
            left = total - both * self.products[mine, b]
            left /= (self.sizes[a] - 1) * (self.sizes[a] - 2 if i == j else self.sizes[b])
            without = self._signal_without(a)
            left /= without if i == j else np.sqrt(without * self._signal(b))
            moves[mine] += left - left.mean()
        unknown = 1 - np.sqrt((1 - UNKNOWN_SPREAD * self.unknown[i]) * (1 - UNKNOWN_SPREAD * self.unknown[j]))
        return found | {"corrected": float(value), "moves": moves, "unknown": abs(value) * unknown}

    def _signal(self, i: int) -> float:
        return float(self.signal[self.members[:, i] & self.pairs_known].mean())

    def _signal_without(self, i: int) -> np.ndarray:
        """Mean signal of group i without each of its prompts, (prompts of i,)."""
        mine = self.members[:, i]
        there = self.pairs_known[mine]
        values = np.where(there, self.signal[mine], 0)
        return np.maximum((values.sum() - values) / (there.sum() - there), 1e-9)

    def _entry(self, i: int, pairs: list[dict]) -> dict:
        """Mean over all these pairs of prompts, one of them of group i, with the interval of the corrected one."""
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
            half = np.sqrt(((n - 1) / np.maximum(n, 1) * moves**2).sum()) * stats.t.ppf(0.975, self.sizes[i] - 1)
            toward, away = weights @ np.stack([pair["unknown"] for pair in there])
            down, up = (toward, away) if value > 0 else (away, toward)
            entry |= {"low": float(value - half - down), "high": float(value + half + up)}
        return entry


def _weights(agreement: Agreement, mine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the prompts of a group, `mine`: w; w² times the agreement; how far each one's noise is not known, 0 to 1.

    (prompts,) each. What is common is the agreement of two single rollouts.
    """
    there, sure = mine & np.isfinite(agreement.value), mine & np.isfinite(agreement.error2)
    value, size = np.nan_to_num(agreement.value), agreement.size
    if not there.any():
        return np.ones(len(mine)), np.zeros(len(mine)), np.ones(len(mine))
    common = reliability(of_one_rollout(agreement, mine), size)
    trust, error2 = np.zeros(len(mine)), np.nan_to_num(agreement.error2)
    if sure.sum() >= SMALLEST:
        spread2 = max(0.0, float((value - common)[sure].var(ddof=1) - error2[sure].mean()))
        trust[sure] = spread2 / (spread2 + error2[sure] + 1e-12)
    drawn = np.maximum(common + trust * (value - common), common / 4)
    relative = np.where(sure, np.minimum(error2 / drawn**2, 1), 1)
    # A weight shares its noise with what it weighs. Second order, halved: what noise adds along the mean takes the
    # other half back where it rules (the same in noise._bias).
    share = np.where(sure, trust * relative, 0) / 2
    weight = 1 / np.sqrt(drawn) / (1 + 3 / 8 * trust * share)
    return weight, np.where(there, value / drawn + (1 - trust) * share, 0), (1 - trust) * relative


def _inverse_norm(gradients: Gradients) -> np.ndarray:
    norm = np.sqrt(np.asarray(gradients.dots).sum(1)) / gradients.n
    return np.divide(1, norm, out=np.zeros_like(norm), where=norm > 0)


def _products(rows, slices, members: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(prompts, groups) of w_p x_p · Σ w_q x_q over the group's other prompts q; rows(slice): x of these prompts."""
    slices, scaled = list(slices), (members * weight[:, None]).astype(np.float32)
    sums = reduce(operator.iadd, (scaled[block].T @ rows(block) for block in slices))
    found = []
    for block in slices:
        x = rows(block)
        own = (x**2).sum(1) * weight[block] ** 2
        found.append((x @ sums.T) * weight[block, None] - members[block] * own[:, None])
    return np.concatenate(found).astype(float)
