"""How probable every label is: posteriors of initial and final pass rates by empirical Bayes.

A pass rate estimated from 32 samples is a count, and what a count says depends on what pass rates are common. So the
prior is learned from the runs themselves: prompts belong to a few latent classes z; in a class the initial rate and the
final rates are drawn from mixtures over one bank of Beta distributions:

    z ~ pi;  p0 | z ~ sum_k phi_zk Beta(a_k, b_k);  p_r | z ~ sum_k theta_zk Beta(a_k, b_k);
    positives of p_j ~ Binomial(n_j, p_j)

In some classes every run has a final rate of its own, in some all runs share one (runs of one prompt are alike), and in
one the rates never changed: final and initial are the same number. Without the last, two counts of one rate would pass
for learning. pi, phi and theta are fitted by EM. A posterior is then a mixture of Betas, and events over several runs
("below tau in every run") have exact probabilities that respect how alike the runs are. Adaptive stopping does not bias
it: the likelihood of a count is the same whatever rule stopped it. Cost grows with the number of distinct counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.special import betainc, betaln
from scipy.stats import binom

# Beta(mean * size, (1 - mean) * size): narrow ones, dense near 0 where thresholds lie, and broad ones between them.
_MEANS = {
    80.0: (0.001, 0.004, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.125, 0.155, 0.19, 0.24, 0.3, 0.37, 0.45),
    20.0: (0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 0.995),
    3.0: (0.1, 0.3, 0.5, 0.7, 0.9),
}
BANK = np.array([(mean * size, (1 - mean) * size) for size, means in _MEANS.items() for mean in means])
_PSEUDO_COUNT = 0.5  # prompts a class that follow the whole bank evenly; matters with few prompts only
DELTA = 0.05  # a rise of the pass rate from which it improved: half of the paper's tau
SURE = 0.9  # probability from which it is said to have
_GRID = np.concatenate([np.linspace(0, 0.2, 81), np.linspace(0.2, 1, 81)[1:]])


@dataclass
class _Counts:
    """The distinct (n, positive) pairs of evaluations of one rate and which of them each row of counts has."""

    n: np.ndarray  # (pairs,)
    positive: np.ndarray
    index: np.ndarray  # (rows,)
    likelihood: np.ndarray  # (pairs, bank), over its largest in each pair
    log_scale: np.ndarray  # (pairs,) of what it was divided by

    @classmethod
    def of(cls, n: np.ndarray, positive: np.ndarray) -> "_Counts":
        n, positive = np.asarray(n, dtype=np.int64), np.asarray(positive, dtype=np.int64)
        base = int(n.max()) + 1
        pairs, index = np.unique(n * base + positive, return_inverse=True)
        n, positive = pairs // base, pairs % base
        a, b = BANK.T
        log = betaln(a + positive[:, None], b + (n - positive)[:, None]) - betaln(a, b)
        top = log.max(axis=1)
        return cls(n, positive, index, np.exp(log - top[:, None]), top)

    def below(self, t: float, weights: np.ndarray) -> np.ndarray:
        """P(rate < t | pair, class), (pairs, classes), for mixture weights (classes, bank)."""
        a, b = BANK.T
        cdf = betainc(a + self.positive[:, None], b + (self.n - self.positive)[:, None], t)
        return (self.likelihood * cdf) @ weights.T / (self.likelihood @ weights.T)


class _Part:
    """Classes in which the same evaluations share a rate.

    blocks: evaluations of one rate each, 0 the initial one. The first block has the weights `initial`, the others share
    `final`, (classes, bank) each.
    """

    def __init__(self, blocks: list[list[int]], n: np.ndarray, positive: np.ndarray, classes: int):
        self.block_of = {j: i for i, block in enumerate(blocks) for j in block}
        self.counts = [_Counts.of(n[block].sum(axis=0), positive[block].sum(axis=0)) for block in blocks]
        self.changes = len(blocks) > 1
        self.initial = self.final = np.full((classes, len(BANK)), 1 / len(BANK))

    def weights(self, block: int) -> np.ndarray:
        return self.final if block else self.initial

    def fit(self, weighted: np.ndarray) -> None:
        """One M step; weighted: (rows, classes), prompts of each row in each class."""
        new = [_mixture(weighted, self.counts[:1], self.initial), _mixture(weighted, self.counts[1:], self.final)]
        self.initial, self.final = new

    def log_likelihood(self) -> np.ndarray:
        """(rows, classes) of the counts, up to a factor of each row that is the same in every part."""
        blocks = (
            (np.log(counts.likelihood @ self.weights(block).T) + counts.log_scale[:, None])[counts.index]
            for block, counts in enumerate(self.counts)
        )
        return reduce(np.add, blocks)

    def below(self, j: int, t: float) -> np.ndarray:
        """P(rate of evaluation j < t | counts, class), (rows, classes)."""
        block = self.block_of[j]
        return self.counts[block].below(t, self.weights(block))[self.counts[block].index]

    def groups(self, tau: float, easy: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """P(hard), P(hard and below tau in every run), P(hard and in none), (rows, classes) each."""
        hard = self.below(0, easy)
        if not self.changes:
            return hard, self.below(0, min(easy, tau)), np.maximum(hard - self.below(0, tau), 0)
        first = {block: j for j, block in reversed(self.block_of.items()) if block}  # an evaluation of each final rate
        below = np.stack([self.below(j, tau) for j in first.values()])
        return hard, hard * below.prod(axis=0), hard * (1 - below).prod(axis=0)

    def improved(self, j: int, by: float) -> np.ndarray:
        """P(rate of evaluation j - initial rate > by | counts, class), (rows, classes)."""
        before, after = self.counts[0], self.counts[self.block_of[j]]
        if not self.changes:
            return np.zeros((len(before.index), len(self.initial)))
        pairs, place = np.unique(np.stack([before.index, after.index]), axis=1, return_inverse=True)
        total = np.zeros((pairs.shape[1], len(self.initial)))
        last = before.below(_GRID[0], self.initial)
        for low, high in zip(_GRID, _GRID[1:], strict=False):
            reached = before.below(high, self.initial)
            above = 1 - after.below(min(1.0, (low + high) / 2 + by), self.final)
            total += (reached - last)[pairs[0]] * above[pairs[1]]
            last = reached
        return total[place.ravel()]


def _mixture(weighted: np.ndarray, several: list[_Counts], weights: np.ndarray) -> np.ndarray:
    """One M step for mixture weights, (classes, bank), over the rates that share them."""
    total = np.full_like(weights, _PSEUDO_COUNT / len(BANK))
    for counts in several:
        in_class = np.zeros((len(counts.n), weighted.shape[1]))
        np.add.at(in_class, counts.index, weighted)
        total += weights * ((in_class / (counts.likelihood @ weights.T)).T @ counts.likelihood)
    return total / total.sum(axis=1, keepdims=True)


class Posterior:
    """The fitted model for one initial and one or more final evaluations of the same prompts.

    initial: (samples, positive), (prompts,) each; final: (samples, positive), (runs, prompts) each.
    """

    def __init__(self, initial: tuple, final: tuple, iterations: int = 300):
        n, positive = (
            np.concatenate([np.asarray(a)[None], np.asarray(b)]) for a, b in zip(initial, final, strict=True)
        )
        # Prompts with the same counts everywhere share a posterior: work on the distinct ones.
        rows, self._of_prompt, self._times = np.unique(
            np.concatenate([n, positive]), axis=1, return_inverse=True, return_counts=True
        )
        self._of_prompt, self.runs = self._of_prompt.ravel(), len(n) - 1
        n, positive = np.split(rows, 2)
        finals = list(range(1, self.runs + 1))
        layouts = [[[0], *([j] for j in finals)], [[0, *finals]]] + [[[0], finals]] * (self.runs > 1)
        self.parts = [_Part(blocks, n, positive, 6 if len(blocks) > 1 else 1) for blocks in layouts]
        self._fit(self._starting_classes(n, positive), iterations)

    def _starting_classes(self, n: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """A first guess, (rows, classes): low or high at the start, and low, middle or high at the end."""
        initial, *finals = (positive + 0.2) / (n + 1)
        number = (initial >= 0.1) * 3 + np.digitize(np.mean(finals, axis=0), (0.06, 0.4))
        guess = 0.9 * np.eye(6)[number] + 0.1 / 6
        found = np.concatenate([guess if part.changes else np.ones((len(guess), 1)) for part in self.parts], axis=1)
        return found / found.sum(axis=1, keepdims=True)

    def _fit(self, member: np.ndarray, iterations: int) -> None:
        last = -np.inf
        for _ in range(iterations):
            weighted = member * self._times[:, None]
            self.classes = weighted.sum(axis=0) + _PSEUDO_COUNT
            self.classes = self.classes / self.classes.sum()
            for part, mine in zip(self.parts, self._split(weighted), strict=True):
                part.fit(mine)
            member, fit = self._members()
            if fit - last < 1e-7 * self._times.sum():
                break
            last = fit
        self.member = member

    def _split(self, columns: np.ndarray) -> list[np.ndarray]:
        """The classes of each part, of an array whose last axis is all classes."""
        return np.split(columns, np.cumsum([len(part.initial) for part in self.parts])[:-1], axis=-1)

    def _members(self) -> tuple[np.ndarray, float]:
        """P(class | counts), (rows, classes), and the log-likelihood up to a constant."""
        log = np.log(self.classes) + np.concatenate([part.log_likelihood() for part in self.parts], axis=1)
        top = log.max(axis=1, keepdims=True)
        member = np.exp(log - top)
        total = member.sum(axis=1, keepdims=True)
        return member / total, float(self._times @ (top + np.log(total))[:, 0])

    # Questions --------------------------------------------------------------------------------------------------------

    def _average(self, of_class: Callable[[_Part], np.ndarray]) -> np.ndarray:
        """The mean over classes of what `of_class(part)`, (rows, classes), holds in each class, (rows,)."""
        members = zip(self.parts, self._split(self.member), strict=True)
        return np.clip(sum((member * of_class(part)).sum(axis=1) for part, member in members), 0.0, 1.0)

    def _below(self, j: int, t: float) -> np.ndarray:
        """P(rate j < t), (rows,); j = 0 is the initial one."""
        return self._average(lambda part: part.below(j, t))

    def _final_below(self, t: float) -> np.ndarray:
        return np.mean([self._below(j, t) for j in range(1, self.runs + 1)], axis=0)

    def initial_below(self, t: float) -> np.ndarray:
        """P(initial rate < t), (prompts,)."""
        return self._below(0, t)[self._of_prompt]

    def final_below(self, t: float) -> np.ndarray:
        """P(final rate < t) of a run, mean over the runs, (prompts,)."""
        return self._final_below(t)[self._of_prompt]

    def groups(self, tau: float, easy: float) -> dict[str, np.ndarray]:
        """P(easy), P(unlearnable), P(learnable) and P(mixed) by the true rates, (prompts,) each; they add up to 1."""
        found = {id(part): part.groups(tau, easy) for part in self.parts}
        hard, every, none = (self._average(lambda part, i=i: found[id(part)][i])[self._of_prompt] for i in range(3))
        mixed = np.maximum(hard - every - none, 0)
        return {"easy": 1 - hard, "unlearnable": every, "learnable": none, "mixed": mixed}

    def improved(self, by: float = DELTA) -> np.ndarray:
        """P(final - initial rate > by) of a run, mean over the runs, (prompts,)."""
        runs = [self._average(lambda part, j=j: part.improved(j, by)) for j in range(1, self.runs + 1)]
        return np.mean(runs, axis=0)[self._of_prompt]

    def learned_by_chance(self, tau: float, samples: list[int]) -> np.ndarray:
        """P(at least tau positive in every run's so many samples), had no rate changed, given the initial counts.

        (prompts,). samples: of each run's final evaluation.
        """
        counts = next(part for part in self.parts if part.changes).counts[0]
        classes = self._split(self.classes)
        prior = np.sum([share @ part.initial for share, part in zip(classes, self.parts, strict=True)], axis=0)
        chance, last = np.zeros(len(counts.n)), np.zeros(len(counts.n))
        for low, high in zip(_GRID, _GRID[1:], strict=False):
            reached = counts.below(high, prior[None])[:, 0]
            every = np.prod([binom.sf(np.ceil(tau * n - 1e-9) - 1, n, (low + high) / 2) for n in samples])
            chance += (reached - last) * every
            last = reached
        return chance[counts.index][self._of_prompt]

    def solved_again(self, tau: float, samples: int) -> np.ndarray:
        """P(at least tau positive among so many new samples of a final model), mean over the runs, (prompts,)."""
        cdf = np.stack([self._final_below(t) for t in _GRID], axis=1)
        reached = binom.sf(np.ceil(tau * samples - 1e-9) - 1, samples, (_GRID[1:] + _GRID[:-1]) / 2)
        return np.clip(np.diff(cdf, axis=1) @ reached, 0, 1)[self._of_prompt]

    def initial_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the initial rate, (prompts,) each."""
        return self._interval([self._below(0, t) for t in _GRID], level)

    def final_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the final rate of a run, the difference between runs included, (prompts,) each."""
        return self._interval([self._final_below(t) for t in _GRID], level)

    def _interval(self, below: list[np.ndarray], level: float) -> tuple[np.ndarray, np.ndarray]:
        cdf = np.stack(below, axis=1)
        low, high = (_quantile(cdf, q)[self._of_prompt] for q in ((1 - level) / 2, (1 + level) / 2))
        return low, high


def _quantile(cdf: np.ndarray, q: float) -> np.ndarray:
    """The `q` quantile, (prompts,), of distributions given on _GRID, (prompts, grid), by linear interpolation.

    In the outermost cells it is 0 or 1 itself: a rate of exactly 0 is common, and no Beta holds one.
    """
    right = np.clip((cdf < q).sum(axis=1), 1, len(_GRID) - 1)
    rows = np.arange(len(cdf))
    low, high = cdf[rows, right - 1], cdf[rows, right]
    share = np.clip((q - low) / np.maximum(high - low, 1e-12), 0, 1)
    share[right == 1] = 0.0
    share[right == len(_GRID) - 1] = 1.0
    return _GRID[right - 1] + share * (_GRID[right] - _GRID[right - 1])
