"""Which prompts are probed, and how a batch's gradient weighs them."""

import numpy as np
import pytest

from openrlhf_unlearn.probe.measures.interference import grpo_weight
from openrlhf_unlearn.probe.rollouts import HARD, _draw


def test_no_label_decides_what_is_probed():
    """A choice by pass rate before training alone: whatever the prompts became later, the same are drawn."""
    rng = np.random.default_rng(0)
    rate = {f"p{i}": float(value) for i, value in enumerate(rng.uniform(0.01, 0.3, 3000))}
    drawn = _draw(rate, 400, np.random.default_rng(1))
    assert drawn == _draw(dict(reversed(rate.items())), 400, np.random.default_rng(1)), "nor the order of the table"
    hard = [name for name in drawn if rate[name] < HARD]
    assert (len(hard), len(drawn)) == (300, 400)
    assert sum(drawn.values()) == pytest.approx(3000), "each stands for as many as were left out"
    picked = np.mean([rate[name] for name in hard])
    assert picked == pytest.approx(np.mean([r for r in rate.values() if r < HARD]), abs=0.01)


@pytest.mark.parametrize(("hard", "easy", "most", "expected"), [(10, 500, 400, (10, 390)), (500, 10, 400, (390, 10)),
                                                               (5, 5, 0, (5, 5)), (2, 0, 400, (2, 0))])  # fmt: skip
def test_where_one_kind_is_short_the_other_fills_up(hard, easy, most, expected):
    rate = {f"h{i}": 0.05 for i in range(hard)} | {f"e{i}": 0.5 for i in range(easy)}
    drawn = _draw(rate, most, np.random.default_rng(0))
    assert (sum(name[0] == "h" for name in drawn), sum(name[0] == "e" for name in drawn)) == expected


def test_weights_of_grpo_are_those_of_training_groups():
    """By simulation of groups of k = 8; the pass rate's own √(p(1-p)) overweighs hard prompts."""
    rng, rates = np.random.default_rng(0), np.array([1 / 32, 2 / 32, 0.3, 0.5])
    share = rng.binomial(8, rates, (200_000, 4)) / 8
    simulated = np.sqrt(share * (1 - share)).mean(0)
    assert np.allclose(grpo_weight(rates, 8), simulated, atol=0.002)
    too_much = np.sqrt(rates * (1 - rates)) / grpo_weight(rates, 8)
    assert too_much[0] > 2.2 and too_much[1] > 1.6 and too_much[3] < 1.1
