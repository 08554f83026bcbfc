"""Simulation with known truth: every interval that is shown covers it, whatever the values look like."""

import numpy as np
import pytest
from scipy.stats import norm

from openrlhf_unlearn.stats.auc import area_difference, auc, auc_with_interval, placements
from openrlhf_unlearn.stats.means import mean_interval, rate_difference, rate_interval, share_difference, wilson

TIMES = 300
ALLOWED = 0.90  # coverage
RATES = {  # pass rates of prompts by 32 samples each, and their true mean
    "hard": (lambda rng, n: rng.binomial(32, rng.beta(0.6, 19.4, n)) / 32, 0.03),
    "all alike": (lambda rng, n: rng.binomial(32, 0.003, n) / 32, 0.003),
    "learned": (lambda rng, n: rng.binomial(32, rng.beta(4, 0.8, n)) / 32, 4 / 4.8),
    "half and half": (lambda rng, n: rng.binomial(32, rng.beta(0.3, 0.3, n)) / 32, 0.5),
    "one in twenty": (lambda rng, n: (rng.random(n) < 0.05) * 0.9, 0.045),
}


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("n", [5, 30, 100])
def test_mean_of_rates(name, n):
    draw, truth = RATES[name]
    rng = np.random.default_rng(n)
    found = [rate_interval(draw(rng, n)) for _ in range(TIMES)]
    assert np.mean([low <= truth <= high for _, (low, high) in found]) >= ALLOWED
    assert all(low < high for _, (low, high) in found), "an interval without width would claim certainty"
    assert abs(np.mean([mean for mean, _ in found]) - truth) <= 0.03


@pytest.mark.parametrize("n", [5, 30, 100])
def test_mean_of_differences(n):
    rng = np.random.default_rng(n)
    found = [mean_interval(rng.normal(0.1, 0.3, n))[1] for _ in range(TIMES)]
    assert np.mean([low <= 0.1 <= high for low, high in found]) >= ALLOWED


def learned(rng, hard: np.ndarray, share: float) -> np.ndarray:
    """Pass rates by 32 samples after training that teaches this share of the hard prompts."""
    return rng.binomial(32, np.where(rng.random(len(hard)) < share, 0.9, hard)) / 32


def hard_prompts(rng, n: int, share: float):
    hard = rng.beta(0.6, 19.4, n)
    return learned(rng, hard, share), rng.binomial(32, hard) / 32, share * (0.9 - 0.03)


def wider(rng, n: int):
    rate = rng.uniform(0, 0.9, n)
    return rng.binomial(32, rate + 0.1) / 32, rng.binomial(32, rate) / 32, 0.1


PAIRS = {  # pass rates of the same prompts in two runs, and the true mean of the differences
    "nothing learned": lambda rng, n: hard_prompts(rng, n, 0),
    "one in ten learned": lambda rng, n: hard_prompts(rng, n, 0.1),
    "a third learned": lambda rng, n: hard_prompts(rng, n, 1 / 3),
    "one in ten lost": lambda rng, n: (np.where(rng.random(n) < 0.1, 0.03, 0.9), np.full(n, 0.9), -0.087),
    "all a little": wider,
    "solved or not": lambda rng, n: ((rng.random(n) < 0.3) * 1.0, (rng.random(n) < 0.2) * 1.0, 0.1),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("n", [10, 30, 100])
def test_mean_difference_of_rates(name, n):
    rng, held, found = np.random.default_rng(n), [], []
    for _ in range(TIMES):
        first, second, truth = PAIRS[name](rng, n)
        difference, (low, high) = rate_difference(first, second)
        found.append(difference - truth)
        held.append(low <= truth <= high and low < high)
    nobody = (name, n) == ("one in ten learned", 10)  # in a third of the draws; it says that it is too short then
    assert np.mean(held) >= (0.75 if nobody else ALLOWED)
    assert abs(np.mean(found)) <= 0.03


def test_difference_of_rates_is_of_the_prompts_of_both():
    first, second = np.array([0.5, np.nan, 1.0]), np.array([0.25, 0.5, np.nan])
    assert rate_difference(first, second) == (0.25, None)
    assert rate_difference(first[1:2], second[1:2]) == (None, None)
    low, high = rate_difference(np.zeros(50), np.zeros(50))[1]
    assert -0.1 < low < 0 < high < 0.1


@pytest.mark.parametrize("sizes", [(10, 10), (20, 60), (32, 128), (100, 100)])
@pytest.mark.parametrize("shares", [(0.03, 0.03), (0.03, 0.3), (0, 0.1), (0.5, 0.5), (0.9, 1)])
def test_difference_of_shares(sizes, shares):
    rng = np.random.default_rng(0)
    hits = rng.binomial(sizes, shares, (1000, 2))
    found = np.array([share_difference(int(a), sizes[0], int(b), sizes[1]) for a, b in hits])
    truth = shares[1] - shares[0]
    assert np.mean((found[:, 0] <= truth) & (truth <= found[:, 1])) >= ALLOWED
    assert (found[:, 0] < found[:, 1]).all()


def test_no_interval_of_equal_differences_or_of_one_value():
    assert mean_interval(np.full(9, 0.5)) == (0.5, None)
    assert mean_interval(np.array([0.5, np.nan])) == (0.5, None) == rate_interval(np.array([0.5]))
    assert mean_interval(np.array([np.nan])) == (None, None) == rate_interval(np.array([]))


def test_shares():
    rng = np.random.default_rng(0)
    for n, share in ((10, 0.05), (10, 0.5), (40, 0.02), (200, 0.9)):
        found = [wilson(hits / n, n) for hits in rng.binomial(n, share, 1000)]
        assert np.mean([low <= share <= high for low, high in found]) >= 0.90
    assert wilson(None, 0) is None and wilson(0.0, 5)[1] > 0.3


def test_auc_is_the_share_of_pairs():
    rng = np.random.default_rng(0)
    low, high = rng.integers(0, 5, 30).astype(float), rng.integers(1, 7, 20).astype(float)
    pairs = (high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean()
    assert auc(low, high) == pytest.approx(pairs)
    assert auc(np.array([np.nan]), high) is None and auc_with_interval(low, high[:0]) is None


SCORES = {  # scores of two kinds, and the area
    "nothing to tell": (lambda rng, n: rng.normal(size=n), lambda rng, n: rng.normal(size=n), 0.5),
    "some": (lambda rng, n: rng.normal(size=n), lambda rng, n: rng.normal(1, 1, n), norm.cdf(1 / 2**0.5)),
    "nearly apart": (lambda rng, n: rng.normal(size=n), lambda rng, n: rng.normal(3, 1, n), norm.cdf(3 / 2**0.5)),
    "uneven spread": (lambda rng, n: rng.normal(size=n), lambda rng, n: rng.normal(0.5, 3, n), norm.cdf(0.5 / 10**0.5)),
    "a part apart": (
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: np.where(rng.random(n) < 0.4, 20, 0) + rng.normal(size=n),
        0.7,
    ),
    "ties": (
        lambda rng, n: (rng.random(n) < 0.3) * 1.0,
        lambda rng, n: (rng.random(n) < 0.5) * 1.0,
        0.5 * 0.7 + 0.5 * (0.5 * 0.3 + 0.5 * 0.7),
    ),
}


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("sizes", [(10, 10), (10, 60), (60, 10), (80, 80)])
def test_area(name, sizes):
    one, two, truth = SCORES[name]
    rng = np.random.default_rng(sum(sizes))
    found = [auc_with_interval(one(rng, sizes[0]), two(rng, sizes[1])) for _ in range(TIMES)]
    assert np.mean([f["low"] <= truth <= f["high"] for f in found]) >= ALLOWED
    assert all(f["low"] < f["high"] for f in found)
    assert abs(np.mean([f["auc"] for f in found]) - truth) <= 0.03


def test_wholly_apart_is_no_certainty():
    found = auc_with_interval(np.zeros(10), np.ones(12))
    assert found["auc"] == 1 and found["low"] < 0.9 and found["high"] == 1


@pytest.mark.parametrize("gains", [(1, 1), (2, 0.5), (0, 0), (3, 2)])
@pytest.mark.parametrize("alike", [0, 0.9])
def test_difference_of_two_areas_on_the_same_prompts(gains, alike):
    truth = norm.cdf(gains[0] / 2**0.5) - norm.cdf(gains[1] / 2**0.5)
    rng, labels, held, above = np.random.default_rng(1), np.arange(75) >= 30, [], []
    for _ in range(TIMES):
        scores = rng.multivariate_normal([0, 0], [[1, alike], [alike, 1]], len(labels)) + labels[:, None] * gains
        found = area_difference(*(placements(score[~labels], score[labels]) for score in scores.T))
        held.append(found["low"] <= truth <= found["high"])
        above.append(found["low"] > 0)
    assert np.mean(held) >= ALLOWED
    if gains[0] == gains[1]:
        assert np.mean(above) <= 0.05, "no more than this is said to be better where it is not"
