"""How probable every label is: posteriors of initial and final pass rates by empirical Bayes.

A pass rate estimated from 32 samples is a count, and what a count says depends on what pass rates are common. So the
prior is learned from the runs themselves: prompts belong to a few latent classes z; in a class the initial rate and
every run's final rate are drawn, independently, from mixtures over one bank of Beta distributions:

    z ~ pi;  p0 | z ~ sum_k phi_zk Beta(a_k, b_k);  p_r | z ~ sum_k theta_zk Beta(a_k, b_k), the same for all runs r;
    positives of p_j ~ Binomial(n_j, p_j)

pi, phi and theta are fitted by EM. A posterior is then a mixture of Betas, and events over several runs ("below tau
in every run") have exact probabilities that respect how alike the runs are. Adaptive stopping does not bias it: the
likelihood of a count is the same whatever rule stopped it. Cost grows with the number of distinct counts.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaln

# Beta(mean * size, (1 - mean) * size): narrow ones, dense near 0 where thresholds lie, and broad ones between them.
_MEANS = {
    80.0: (0.001, 0.004, 0.01, 0.02, 0.03, 0.045, 0.06, 0.08, 0.1, 0.125, 0.155, 0.19, 0.24, 0.3, 0.37, 0.45),
    20.0: (0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 0.995),
    3.0: (0.1, 0.3, 0.5, 0.7, 0.9),
}
BANK = np.array([(mean * size, (1 - mean) * size) for size, means in _MEANS.items() for mean in means])
_PSEUDO_COUNT = 0.5  # prompts a class that follow the whole bank evenly; matters with few prompts only
_GRID = np.concatenate([np.linspace(0, 0.2, 81), np.linspace(0.2, 1, 81)[1:]])


@dataclass
class _Counts:
    """The distinct (n, positive) pairs of one evaluation and which of them each prompt has."""

    n: np.ndarray  # (pairs,)
    positive: np.ndarray
    index: np.ndarray  # (prompts,)
    likelihood: np.ndarray  # (pairs, bank), up to a factor that is a pair's own

    @classmethod
    def of(cls, n: np.ndarray, positive: np.ndarray) -> "_Counts":
        n, positive = np.asarray(n, dtype=np.int64), np.asarray(positive, dtype=np.int64)
        base = int(n.max()) + 1
        pairs, index = np.unique(n * base + positive, return_inverse=True)
        n, positive = pairs // base, pairs % base
        a, b = BANK.T
        log = betaln(a + positive[:, None], b + (n - positive)[:, None]) - betaln(a, b)
        return cls(n, positive, index, np.exp(log - log.max(axis=1, keepdims=True)))

    def below(self, t: float, weights: np.ndarray) -> np.ndarray:
        """P(rate < t | pair, class), (pairs, classes), for mixture weights (classes, bank)."""
        a, b = BANK.T
        cdf = betainc(a + self.positive[:, None], b + (self.n - self.positive)[:, None], t)
        return (self.likelihood * cdf) @ weights.T / (self.likelihood @ weights.T)


class Posterior:
    """The fitted model for one initial and one or more final evaluations of the same prompts.

    initial: (samples, positive), (prompts,) each; final: (samples, positive), (runs, prompts) each.
    """

    def __init__(self, initial: tuple, final: tuple, iterations: int = 300):
        self.counts = [_Counts.of(*initial)] + [_Counts.of(n, c) for n, c in zip(*final, strict=True)]
        stacked = np.stack([counts.index for counts in self.counts])
        # Prompts with the same counts everywhere share a posterior: work on the distinct ones.
        _, self._first, self._of_prompt, self._times = np.unique(
            stacked, axis=1, return_index=True, return_inverse=True, return_counts=True
        )
        self._of_prompt = self._of_prompt.ravel()
        for counts in self.counts:
            counts.index = counts.index[self._first]
        self._fit(self._starting_classes(), iterations)

    def _starting_classes(self) -> np.ndarray:
        """A first guess, (distinct, classes): low or high at the start, and low, middle or high at the end."""
        initial, *finals = [(c.positive + 0.2) / (c.n + 1) for c in self.counts]
        start = initial[self.counts[0].index] >= 0.1
        end = np.mean([f[c.index] for f, c in zip(finals, self.counts[1:], strict=True)], axis=0)
        number = start * 3 + np.digitize(end, (0.06, 0.4))
        return 0.9 * np.eye(6)[number] + 0.1 / 6

    def _fit(self, member: np.ndarray, iterations: int) -> None:
        classes, bank = member.shape[1], len(BANK)
        self.initial = self.final = np.full((classes, bank), 1 / bank)
        last = -np.inf
        for _ in range(iterations):
            weighted = member * self._times[:, None]
            self.classes = weighted.sum(axis=0) + _PSEUDO_COUNT
            self.classes = self.classes / self.classes.sum()
            self.initial, self.final = (
                self._mixture(weighted, self.counts[:1], self.initial),
                self._mixture(weighted, self.counts[1:], self.final),
            )
            member, fit = self._members()
            if fit - last < 1e-7 * self._times.sum():
                break
            last = fit
        self.member = member

    def _mixture(self, member: np.ndarray, several: list[_Counts], weights: np.ndarray) -> np.ndarray:
        """One M step for mixture weights, (classes, bank), over the evaluations that share them."""
        total = np.full_like(weights, _PSEUDO_COUNT / len(BANK))
        for counts in several:
            in_class = np.zeros((len(counts.n), member.shape[1]))
            np.add.at(in_class, counts.index, member)
            total += weights * ((in_class / (counts.likelihood @ weights.T)).T @ counts.likelihood)
        return total / total.sum(axis=1, keepdims=True)

    def _weights(self) -> list[np.ndarray]:
        return [self.initial] + [self.final] * (len(self.counts) - 1)

    def _members(self) -> tuple[np.ndarray, float]:
        """P(class | counts), (distinct, classes), and the log-likelihood up to a constant."""
        log = np.log(self.classes)[None, :]
        for counts, weights in zip(self.counts, self._weights(), strict=True):
            log = log + np.log(counts.likelihood @ weights.T)[counts.index]
        top = log.max(axis=1, keepdims=True)
        member = np.exp(log - top)
        total = member.sum(axis=1, keepdims=True)
        return member / total, float(self._times @ (top + np.log(total))[:, 0])

    # Questions --------------------------------------------------------------------------------------------------------

    def _below(self, j: int, t: float) -> np.ndarray:
        """P(rate j < t | counts, class), (distinct, classes); j = 0 is the initial one."""
        return self.counts[j].below(t, self._weights()[j])[self.counts[j].index]

    def _average(self, of_class: np.ndarray) -> np.ndarray:
        """The mean over classes of what holds in a class, (prompts,)."""
        return np.clip((self.member * of_class).sum(axis=1), 0.0, 1.0)[self._of_prompt]

    def initial_below(self, t: float) -> np.ndarray:
        """P(initial rate < t), (prompts,)."""
        return self._average(self._below(0, t))

    def final_below(self, t: float) -> np.ndarray:
        """P(final rate < t) of a run, mean over the runs, (prompts,)."""
        return self._average(self._final_below(t))

    def _final_below(self, t: float) -> np.ndarray:
        return np.mean([self._below(j, t) for j in range(1, len(self.counts))], axis=0)

    def groups(self, tau: float, easy: float) -> dict[str, np.ndarray]:
        """P(easy), P(unlearnable), P(learnable) and P(mixed) by the true rates, (prompts,) each; they add up to 1."""
        hard = self._below(0, easy)
        below = np.stack([self._below(j, tau) for j in range(1, len(self.counts))])
        every, none = hard * below.prod(axis=0), hard * (1 - below).prod(axis=0)
        return {
            "easy": self._average(1 - hard),
            "unlearnable": self._average(every),
            "learnable": self._average(none),
            "mixed": self._average(hard - every - none),
        }

    def initial_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the initial rate, (prompts,) each."""
        return self._interval([self._below(0, t) for t in _GRID], level)

    def final_interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the final rate of a run, the difference between runs included, (prompts,) each."""
        return self._interval([self._final_below(t) for t in _GRID], level)

    def _interval(self, below: list[np.ndarray], level: float) -> tuple[np.ndarray, np.ndarray]:
        cdf = np.stack([(self.member * of_class).sum(axis=1) for of_class in below], axis=1)
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
