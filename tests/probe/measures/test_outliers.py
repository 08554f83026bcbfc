"""The word "outlier" at its stated error rate: identical true cosines, whatever the numbers and noise of rollouts."""

import numpy as np
import pytest

from openrlhf_unlearn.probe.measures.outliers import RATE, outliers
from tests.probe.measures.simulation import alike
from tests.probe.measures.test_pooled import DIM, simulated

HARD = np.ones(60, bool)
NUMBERS = {"5": lambda rng: np.full(60, 5), "3 to 12": lambda rng: rng.integers(3, 13, 60), "30": lambda rng: [30] * 60}
NOISES = {"quiet": np.full(60, 2.0), "loud": np.full(60, 10.0), "two kinds": np.where(np.arange(60) < 30, 20, 2.0)}
TIMES = 12


@pytest.mark.parametrize("tail", ["normal", "heavy"])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("number", NUMBERS)
def test_identical_true_cosines_have_no_outliers(number, noise, tail):
    rng, any_called, low = np.random.default_rng(0), [], []
    for _ in range(TIMES):
        numbers = NUMBERS[number](rng)
        found = outliers(simulated(rng, alike(60, DIM, 0.3), numbers, NOISES[noise], np.ones(60), tail), HARD)
        any_called.append(found.called.any())
        low += list(found.p[np.isfinite(found.p)] <= RATE)
    assert np.mean(any_called) <= RATE + 2 * (RATE * (1 - RATE) / TIMES) ** 0.5
    assert np.mean(low) <= RATE, "each test alone"


def test_at_the_edge_of_the_hypothesis():
    """A prompt at just half of the typical cosine is no outlier."""
    rng, low = np.random.default_rng(1), []
    for _ in range(40):
        means = alike(60, DIM, 0.3)
        means[0, 0], means[0, 1] = np.sqrt(0.3) / 2, np.sqrt(1 - 0.3 / 4)
        found = outliers(simulated(rng, means, np.full(60, 8), np.full(60, 5.0), np.ones(60), "normal"), HARD)
        low.append(found.p[0] <= RATE)
    assert np.mean(low) <= RATE + 2 * (RATE * (1 - RATE) / 40) ** 0.5


def test_true_outliers_are_found():
    rng = np.random.default_rng(2)
    means = np.concatenate([alike(45, DIM, 0.3), alike(15, DIM, 0.0, start=45)])
    found = outliers(simulated(rng, means, np.full(60, 12), np.full(60, 3.0), np.ones(60), "normal"), HARD)
    assert found.called[45:].mean() > 0.9
    assert not found.called[:45].any()


@pytest.mark.parametrize(
    ("why", "numbers", "cosine", "hard"),
    [("few rollouts", 3, 0.3, HARD), ("nothing typical", 12, 0.0, HARD), ("few hard prompts", 12, 0.3, HARD & False)],
)
def test_no_word_without_grounds(why, numbers, cosine, hard):
    rng = np.random.default_rng(3)
    gradients = simulated(rng, alike(60, DIM, cosine), np.full(60, numbers), np.full(60, 3.0), np.ones(60), "normal")
    found = outliers(gradients, hard)
    assert np.isnan(found.p).all() and not found.called.any(), why
