"""When a prompt has been sampled enough: `--adaptive` draws n samples only where they can still change its label.

The label of n samples is high (easy, learnable) if at least `settle` of them are positive, else low. After every wave
a prompt stops if the rest of its n samples would hardly change that. "Hardly" is a bound gamma on the predicted chance
of a change, under a fixed prior of pass rates; gamma itself is the largest for which, WHATEVER the true pass rate,

    P(the label at the stop is not the label that all n samples would have given) <= error_rate.

That probability is computed exactly, by dynamic programming over the counts, on a fine grid of pass rates. So the
prior decides how many samples are saved and has no part in the guarantee. Averaged over the pass rates of real data
sets the share of changed labels is far below the bound, which only rates close to `settle` reach.

Positives over samples are biased where a prompt stops by its positives: low ones stop late, so pooled over prompts they
pull the mean down, and a single prompt's is too extreme. `rates` are unbiased: the chance that a prompt's first sample
was positive, given where it stopped (Girshick, Mosteller and Savage 1946), again by counting paths.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.stats import betabinom, binom

from openrlhf_unlearn.store.run_dir import read_object

WAVE = 4
PRIOR = (0.3, 1.0)  # Beta: many prompts near 0, as in the paper's hard data
_RATES = np.concatenate([np.linspace(0.001, 0.3, 300), np.linspace(0.3, 0.999, 140)[1:]])


def plan_of(about: dict) -> "Plan | None":
    """The plan that an evaluation was sampled by, of what TAG.json says; None where its size was fixed."""
    if about.get("adaptive") is None:
        return None
    return Plan(
        int(about.get("n") or 32), float(about["adaptive"]), float((about.get("settings") or {}).get("settle", 0.1))
    )


def plan_at(evaluation: Path) -> "Plan | None":
    """The same of an evaluation's file of samples, from what stands beside it."""
    about = evaluation.with_suffix(".json")
    return plan_of(read_object(about)) if about.exists() else None


def pooled_rates(plans: Sequence["Plan | None"], n: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Unbiased pass rates over several evaluations, (prompts,), nan without samples; n, positive: (evaluations,
    prompts). Each sample counts alike, or each evaluation where the numbers of samples depend on outcomes."""
    if not any(plans):
        return Plan(0).rates(n.sum(0), positive.sum(0))
    rates = np.stack([(plan or Plan(0)).rates(*counts) for plan, *counts in zip(plans, n, positive, strict=True)])
    seen = np.isfinite(rates)
    return np.divide(np.nansum(rates, 0), seen.sum(0), out=np.full(n.shape[1], np.nan), where=seen.any(0))


class Plan:
    """How many more samples a prompt wants. `error_rate` None: always all `n`."""

    def __init__(self, n: int, error_rate: float | None = None, settle: float = 0.1, wave: int = WAVE):
        self.n, self.error_rate, self.settle, self.wave = n, error_rate, settle, wave
        self.need = int(np.ceil(settle * n - 1e-9))  # positives of n that make the label high

    def wanted(self, n: int, positive: int) -> int:
        """Samples to draw next for a prompt that has `n`, `positive` of them positive; 0: it is settled."""
        left = self.n - n
        if self.error_rate is None or left <= 0:
            return max(0, left)
        looks = -(-(n + 1) // self.wave) * self.wave  # the next look; a resume may stand between two
        if n % self.wave == 0 and self._stops[n // self.wave, positive]:
            return 0
        return min(looks - n, left)

    @cached_property
    def _stops(self) -> np.ndarray:
        """(looks, positives) of bool: settled, for the largest gamma that keeps the promise."""
        low, high = 0.0, 0.5
        for _ in range(24):
            middle = (low + high) / 2
            if self.changed_labels(self._stopping(middle)).max() <= self.error_rate:
                low = middle
            else:
                high = middle
        return self._stopping(low)

    def _stopping(self, gamma: float) -> np.ndarray:
        """(looks, positives) of bool: the predicted chance that the rest changes the label is at most `gamma`.

        Only where the label at the stop and its pass rate so far are on the same side, so that both say one thing.
        """
        looks = np.arange(0, self.n + 1, self.wave)[:, None]
        positives = np.arange(self.n + 1)[None, :]
        left, missing = self.n - looks, self.need - positives
        high = betabinom.sf(missing - 1, left, PRIOR[0] + positives, PRIOR[1] + np.maximum(looks - positives, 0))
        seen_high = positives >= self.settle * looks
        change = np.where(seen_high, 1 - high, high)
        stops = (change <= gamma + 1e-12) & (positives <= looks)
        stops[0] = False
        return stops

    def rates(self, n: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """Unbiased pass rates of prompts that stopped with these counts, (prompts,); nan without samples.

        Where a count is none that this plan stops at (samples of another origin), it is positives over samples.
        """
        n, positive = np.asarray(n, dtype=int), np.asarray(positive, dtype=int)
        plain = np.divide(positive, n, out=np.full(n.shape, np.nan), where=n > 0)
        if self.error_rate is None:
            return plain
        inside = (n >= 0) & (n <= self.n) & (positive <= self.n)
        found = self._first_given_stop[np.where(inside, n, 0), np.where(inside, positive, 0)]
        return np.where(np.isfinite(found) & inside, found, plain)

    @cached_property
    def _first_given_stop(self) -> np.ndarray:
        """(samples, positives): share of paths to a stop there whose first sample is positive, nan where none stops."""
        every, first = np.zeros((2, self.n + 1))
        every[0], found = 1.0, np.full((self.n + 1, self.n + 1), np.nan)
        for drawn in range(0, self.n, self.wave):
            size = min(self.wave, self.n - drawn)
            ways = binom.pmf(np.arange(size + 1), size, 0.5)
            if drawn == 0:
                first = np.convolve(np.eye(1, self.n + 1)[0], ways * np.arange(size + 1) / size)[: self.n + 1]
            else:
                first = np.convolve(first, ways)[: self.n + 1]
            every, now = np.convolve(every, ways)[: self.n + 1], drawn + size
            stops = self._stops[now // self.wave] if now < self.n else np.ones(self.n + 1, bool)
            reached = stops & (every > 0)
            found[now, reached] = first[reached] / every[reached]
            every, first = every * ~stops, first * ~stops
        return found

    def changed_labels(self, stops: np.ndarray, rates: np.ndarray = _RATES) -> np.ndarray:
        """P(label at the stop differs from that of n samples), (rates,), by exact enumeration of the counts."""
        return self._walk(stops, rates)[0]

    def expected_samples(self, rates: np.ndarray) -> np.ndarray:
        """Mean number of samples that a prompt of each pass rate takes, (rates,)."""
        return self._walk(self._stops, rates)[1]

    def changed(self, rates: np.ndarray) -> np.ndarray:
        """`changed_labels` of this plan."""
        return self._walk(self._stops, rates)[0]

    def _walk(self, stops: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rates = np.asarray(rates, dtype=float)[:, None]
        steps = np.asarray(
            binom.pmf(np.arange(self.wave + 1)[None, :], self.wave, rates)
        )  # (rates, positives of a wave)
        going = np.zeros((len(rates), self.n + 1))
        going[:, 0] = 1.0
        changed, samples = np.zeros(len(rates)), np.zeros(len(rates))
        positives = np.arange(self.n + 1)
        for look in range(1, self.n // self.wave + 1):
            drawn = look * self.wave
            ahead = np.zeros_like(going)
            for hits in range(self.wave + 1):
                ahead[:, hits:] += going[:, : self.n + 1 - hits] * steps[:, hits : hits + 1]
            going = ahead
            if drawn >= self.n:
                break
            here = going * stops[look]
            becomes_high = binom.sf(self.need - positives[None, :] - 1, self.n - drawn, rates)
            is_high = (positives >= self.settle * drawn)[None, :]
            changed += (here * np.where(is_high, 1 - becomes_high, becomes_high)).sum(axis=1)
            samples += drawn * here.sum(axis=1)
            going = going * ~stops[look]
        return changed, samples + self.n * going.sum(axis=1)
