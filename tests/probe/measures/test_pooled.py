"""The groups' cosines against known truth: heavy tails, spread of scales, of noise and of numbers of rollouts."""

import numpy as np
import pytest

from openrlhf_unlearn.probe.measures.pooled import Pooled
from tests.probe.measures.simulation import alike, gathered

DIM, PROMPTS, TRUTH = 160, 60, 0.3
NUMBERS = {
    "2": lambda rng, p: np.full(p, 2),
    "5": lambda rng, p: np.full(p, 5),
    "1 to 3": lambda rng, p: rng.choice([1, 2, 3], p, p=[0.4, 0.35, 0.25]),
    "3 to 30": lambda rng, p: rng.integers(3, 31, p),
}
NOISES = {  # squared norm of a rollout's noise over its mean's
    "alike": lambda rng, p: np.full(p, 5.0),
    "apart": lambda rng, p: 5 * np.exp(rng.normal(0, 0.7, p)),
    "loud": lambda rng, p: 20 * np.exp(rng.normal(0, 0.7, p)),
}
TAILS = {
    "normal": lambda rng, shape: np.ones(shape),
    "heavy": lambda rng, shape: np.exp(rng.normal(0, 0.8, shape) - 0.64),
}


def simulated(rng, means, numbers, noises, scales, tail, units: int = 10):
    """Rollouts of each prompt: its mean with noise whose loudness has tails of its own."""
    shape = len(means), max(numbers)
    loud = TAILS[tail](rng, shape) * np.sqrt(np.divide(noises, DIM))[:, None]
    rollouts = means[:, None] + rng.standard_normal((*shape, DIM), np.float32) * loud[..., None]
    return gathered(rollouts * np.reshape(scales, (-1, 1, 1)), numbers, units)


def leaning(rng):
    """(means, lean): mean cosines around TRUTH, higher where a prompt's `lean` is; that is uniform with variance 1."""
    lean = rng.uniform(-(3**0.5), 3**0.5, PROMPTS)
    shared = TRUTH**0.5 + 0.17 * lean
    means = np.zeros((PROMPTS, DIM))
    means[:, 0], means[np.arange(PROMPTS), 1 + np.arange(PROMPTS)] = shared, np.sqrt(1 - shared**2)
    return means, lean


def repeated(number: str, tail: str, prompts, times: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """(estimates, covered) where the means and noises of `prompts(rng)` have a mean cosine of TRUTH."""
    rng, values, held = np.random.default_rng(1), [], []
    for _ in range(times):
        scales = np.exp(rng.normal(0, 1, PROMPTS))  # lengths of gradients far apart
        means, noises = prompts(rng)
        gradients = simulated(rng, means, NUMBERS[number](rng, PROMPTS), noises, scales, tail)
        found = Pooled(gradients, [""] * PROMPTS).to_all["all"]
        if found["corrected"] is not None:
            values.append(found["corrected"])
            held.append(found["low"] <= TRUTH <= found["high"])
    assert len(values) >= 0.9 * times, "it must be able to speak"
    return np.array(values), np.array(held)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("number", NUMBERS)
def test_bias_and_coverage(number, noise, tail):
    values, held = repeated(number, tail, lambda rng: (alike(PROMPTS, DIM, TRUTH), NOISES[noise](rng, PROMPTS)))
    assert abs(values.mean() - TRUTH) <= 0.03
    assert held.mean() >= 0.90


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("number", NUMBERS)
def test_noise_that_goes_with_the_cosine(number, sign, tail):
    """The louder a prompt, the more alike to the others, or the less."""

    def prompts(rng):
        means, lean = leaning(rng)
        return means, 5 * np.exp(0.7 * sign * lean)

    values, held = repeated(number, tail, prompts)
    few = number in ("2", "1 to 3")  # how noises differ is not known then, and only the interval says so
    assert abs(values.mean() - TRUTH) <= (0.08 if few else 0.03)
    assert held.mean() >= 0.90


def test_equals_the_sums_over_all_pairs():
    """Against loops over pairs, where all prompts have as many rollouts of the same noise."""
    rng = np.random.default_rng(0)
    gradients = simulated(rng, alike(8, DIM, 0.6), [4] * 8, [1.0] * 8, [1.0] * 8, "normal", units=4)
    units = gradients.sketches / np.linalg.norm(gradients.sketches, axis=2, keepdims=True)
    mean = units.mean(1)
    below = [np.mean([u @ v for i, u in enumerate(mine) for j, v in enumerate(mine) if i != j]) for mine in units]
    above = np.mean([mean[p] @ mean[q] for p in range(8) for q in range(8) if p != q])
    found = Pooled(gradients, [""] * 8).to_all["all"]
    assert found["corrected"] == pytest.approx(above / np.mean(below), abs=0.02)
    assert found["low"] < found["corrected"] < found["high"]


def test_loudness_alone_is_no_difference_between_groups():
    """Two groups whose true cosines are the same, one with few and loud rollouts."""
    rng, apart = np.random.default_rng(2), 0
    for _ in range(40):
        means = alike(60, DIM, TRUTH)
        gradients = simulated(rng, means, [3] * 30 + [20] * 30, [12.0] * 30 + [3.0] * 30, np.ones(60), "normal")
        found = Pooled(gradients, ["unlearnable"] * 30 + ["learnable"] * 30).to_all
        apart += found["unlearnable"]["high"] < found["learnable"]["low"]
        apart += found["unlearnable"]["low"] > found["learnable"]["high"]
    assert apart <= 0.05 * 40 + 2


def test_only_noise_says_nothing():
    rng, said = np.random.default_rng(3), 0
    for _ in range(40):
        gradients = simulated(rng, np.zeros((30, DIM)), [3] * 30, [1.0] * 30, [1.0] * 30, "normal")
        said += Pooled(gradients, [""] * 30).to_all["all"]["corrected"] is not None
    assert said <= 0.05 * 40 + 2
