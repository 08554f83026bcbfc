"""Simulation with known pass rates: what the posteriors state is what happens."""

import numpy as np
import pytest

from openrlhf_unlearn.learnability.adaptive import Plan
from openrlhf_unlearn.learnability.posterior import Posterior


def calibration_error(stated: np.ndarray, happened: np.ndarray, bins: int = 20) -> float:
    """Expected calibration error: mean over prompts of |stated - happened| in bins of the stated probability."""
    place = np.minimum((stated * bins).astype(int), bins - 1)
    return sum(abs((stated - happened)[place == i].sum()) for i in range(bins)) / len(stated)


def true_rates(size: int, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Initial, (prompts,), and final, (runs, prompts): easy, learned, not learned and impossible prompts."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, size, p=[0.35, 0.3, 0.25, 0.1])
    initial = np.choose(kind, [rng.beta(2, 1.5, size), rng.beta(1, 20, size), rng.beta(0.6, 25, size), np.zeros(size)])
    final = []
    for _ in range(runs):
        learned = np.where(rng.random(size) < 0.93, rng.beta(4, 0.8, size), rng.beta(1, 25, size))
        final.append(
            np.choose(kind, [rng.beta(8, 0.7, size), learned, rng.beta(0.8, 20, size), rng.beta(0.2, 50, size)])
        )
    return initial, np.array(final)


def posterior_of(initial, final, n=32, seed=1):
    rng = np.random.default_rng(seed)
    return Posterior(
        (np.full(initial.shape, n), rng.binomial(n, initial)), (np.full(final.shape, n), rng.binomial(n, final))
    )


@pytest.mark.parametrize(("size", "runs"), [(100_000, 1), (100_000, 3)])
def test_stated_probabilities_are_calibrated(size, runs):
    initial, final = true_rates(size, runs, seed=0)
    posterior = posterior_of(initial, final)
    hard, below = initial < 0.1, final < 0.1
    happened = {"easy": ~hard, "unlearnable": hard & below.all(axis=0), "learnable": hard & ~below.any(axis=0)}
    happened["mixed"] = hard & ~happened["unlearnable"] & ~happened["learnable"]
    stated = posterior.groups(0.1, 0.1)
    errors = {name: calibration_error(stated[name], truth) for name, truth in happened.items()}
    errors["final below tau"] = calibration_error(posterior.final_below(0.1), below.mean(axis=0))
    errors["initial below easy"] = calibration_error(posterior.initial_below(0.1), hard)
    most_probable = np.argmax([stated[name] for name in happened], axis=0)
    confidence = np.max([stated[name] for name in happened], axis=0)
    errors["label"] = calibration_error(confidence, np.choose(most_probable, list(happened.values())))
    print(f"{size} prompts, {runs} run(s):", {name: round(float(error), 4) for name, error in errors.items()})
    assert max(errors.values()) <= 0.02, errors
    for rates, (low, high) in ((initial, posterior.initial_interval()), (final, posterior.final_interval())):
        assert 0.93 <= ((low <= rates) & (rates <= high)).mean() <= 0.985


def test_intervals_narrow_with_samples():
    initial, final = true_rates(2000, 1, seed=3)
    widths = []
    for n in (8, 32, 128):
        low, high = posterior_of(initial, final, n).initial_interval()
        widths.append((high - low).mean())
    assert widths[0] > 1.5 * widths[1] > 1.5 * widths[2]


def test_adaptive_counts_stay_calibrated():
    """Stopping early makes the naive rates of stopped prompts too extreme, not the posteriors."""
    initial, final = true_rates(20_000, 1, seed=4)
    rng = np.random.default_rng(5)
    plan = Plan(32, 0.05)
    counts = []
    for rates in (initial, final[0]):
        n, c = np.zeros(len(rates), int), np.zeros(len(rates), int)
        while (more := np.array([plan.wanted(a, b) for a, b in zip(n, c, strict=True)])).any():
            n, c = n + more, c + rng.binomial(more, rates)
        counts.append((n, c))
    posterior = Posterior(counts[0], tuple(part[None] for part in counts[1]))
    assert calibration_error(posterior.initial_below(0.1), initial < 0.1) <= 0.02
    assert calibration_error(posterior.final_below(0.1), final[0] < 0.1) <= 0.02


def test_few_prompts_give_sober_probabilities():
    n, c = np.full(3, 32), np.array([0, 3, 30])
    posterior = Posterior((n, c), (n[None], c[None]))
    below = posterior.final_below(0.1)
    assert below[0] > 0.9 and below[2] < 0.01
    assert 0.2 < below[1] < 0.9
