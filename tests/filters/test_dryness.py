"""The chance that a prompt comes up dry: against SciPy's beta-binomial, and the same in fixed draw and waves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout
from openrlhf_unlearn.filters.dryness import PRIOR, Dryness, chance_of_too_few
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from tests.filters.histories import configs, histories, sequence, visit

counts = st.floats(0, 200)


@given(st.integers(0, 8), st.integers(1, 64), counts, counts)
def test_the_chance_is_the_beta_binomials(wanted, n, positives, negatives):
    expected = betabinom.cdf(wanted - 1, n, positives + PRIOR, negatives + PRIOR)
    assert chance_of_too_few(wanted, n, positives, negatives) == pytest.approx(expected, abs=1e-9)


@given(configs, histories)
def test_adaptive_waves_and_the_fixed_draw_think_the_same_of_every_prompt(config, history):
    fixed, adaptive = OversampleReplayFilter(config), OversampleReplayFilter(replace(config, adaptive=True))
    for number, (name, rewards) in enumerate(history):
        for mine in (fixed, adaptive):
            visit(mine, name, sequence(name, number, rewards))
        assert adaptive.dryness.counts == fixed.dryness.counts
        assert adaptive.buffer.state_dict()["chance"] == fixed.buffer.state_dict()["chance"]


def test_prompts_are_ranked_by_how_often_they_pass_and_later_visits_count_more():
    dryness = Dryness(FilterConfig(k=4))

    def after(name, *numbers):
        for n in numbers:
            chance = dryness.visit(Group(name, tuple(Rollout(float(i < n)) for i in range(16))))
        return chance

    never, seldom, forgotten, learned, always = (
        after("never", 0, 0), after("seldom", 1, 0), after("forgotten", 4, 4, 0, 0), after("learned", 0, 0, 4, 4),
        after("always", 4, 4),
    )  # fmt: skip
    assert never > seldom > learned > always
    assert forgotten > 0.3
    assert always < 1e-3
