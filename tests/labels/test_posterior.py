"""Simulation with known pass rates: what the posteriors state is what happens."""

import numpy as np
import pytest

from openrlhf_unlearn.evaluation.adaptive import Plan
from openrlhf_unlearn.labels.posterior import DELTA, Posterior


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


@pytest.mark.parametrize(("size", "runs"), [(30_000, 1), (10_000, 3)])
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


def unchanged_rates(size: int, seed: int) -> np.ndarray:
    """Pass rates as in the paper's hard data: most near 0, some beside the threshold."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(size) < 0.7, rng.beta(0.6, 10, size), rng.beta(2, 2, size))


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("size", [300, 8_000])
def test_no_change_is_not_taken_for_learning(runs, size):
    """Where no rate changed, nothing is sure to have improved, and the share labelled learnable is the one expected."""
    rates = unchanged_rates(size, seed=runs)
    rng = np.random.default_rng(7)
    initial, final = rng.binomial(32, rates), rng.binomial(32, rates, (runs, size))
    posterior = Posterior((np.full(size, 32), initial), (np.full((runs, size), 32), final))
    hard = initial < 3.2
    learnable = hard & (final >= 3.2).all(axis=0)
    expected = posterior.learned_by_chance(0.1, [32] * runs)[hard].sum() / hard.sum()
    share = learnable.sum() / hard.sum()
    assert abs(expected - share) <= 0.01 + 2 * (share * (1 - share) / hard.sum()) ** 0.5
    assert runs > 1 or share > 0.03, "one run labels unchanged prompts learnable"
    improved = posterior.improved()
    assert (improved > 0.95).mean() <= 0.01 and improved.mean() <= 0.05
    assert posterior.groups(0.1, 0.1)["learnable"].mean() <= 0.02


@pytest.mark.parametrize("runs", [1, 3])
def test_the_chance_of_having_improved_is_calibrated(runs):
    """Half of the prompts did not change, the others learned or not, their runs alike."""
    size, rng = 20_000 // runs, np.random.default_rng(11)
    rates, same = unchanged_rates(size, seed=9), rng.random(size) < 0.5
    learned = np.where(rng.random(size) < 0.6, rng.beta(4, 1.5, size), rng.beta(1, 15, size))
    final = np.clip(np.where(same, rates, learned) + ~same * rng.normal(0, 0.02, (runs, size)), 0, 1)
    posterior = posterior_of(rates, final)
    errors = calibration_error(posterior.improved(), (final - rates > DELTA).mean(axis=0))
    assert errors <= 0.03
    low, high = posterior.final_interval()
    assert ((low <= final) & (final <= high)).mean() >= 0.90
