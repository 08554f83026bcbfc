"""Samplers by themselves: the floor, what is visited how often, and a resume at any moment."""

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import FilterConfig, load_filter
from openrlhf_unlearn.samplers import (
    FLOOR,
    SAMPLERS,
    PosteriorSampler,
    Sampler,
    SamplerConfig,
    check_sampler,
    load_sampler,
)
from openrlhf_unlearn.samplers.posterior import chance_of_both

N = 8


class Never(Sampler):
    def wants(self, prompt_id):
        return False


def config(prompts, seed=0, n=N):
    return SamplerConfig([f"p{i}" for i in range(prompts)], n, seed)


def visits(sampler, rates, rounds, each=7, seed=0):
    """Rows in the order of their visits, when each prompt passes at its rate."""
    rng, taken = random.Random(seed), []
    for _ in range(rounds):
        rows = sampler.take(each)
        taken += rows
        for row in rows:
            sampler.observe(f"p{row}", sum(rng.random() < rates[row] for _ in range(N)), N)
    return taken


kinds = st.sampled_from([*SAMPLERS.values(), Never])


@given(kind=kinds, prompts=st.integers(1, 25), takes=st.lists(st.integers(0, 30), max_size=25), seed=st.integers(0, 5))
def test_every_row_is_visited_in_the_first_episode_and_once_in_five(kind, prompts, takes, seed):
    sampler, taken, rng = kind(config(prompts, seed)), [], random.Random(seed)
    for n in takes:
        rows = sampler.take(n)
        taken += rows
        assert len(rows) == n
        for row in rows:
            sampler.observe(f"p{row}", rng.choice([0, N]), N)
    assert sorted(taken[:prompts]) == list(range(prompts))[: len(taken)] or len(taken) < prompts
    for start in range(len(taken) - FLOOR * prompts):
        assert len(set(taken[start : start + FLOOR * prompts])) == prompts


@given(
    kind=st.sampled_from(list(SAMPLERS.values())),
    prompts=st.integers(1, 12),
    takes=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    data=st.data(),
)
def test_a_resume_at_any_moment_goes_on_with_the_same_visits(kind, prompts, takes, data):
    rates = data.draw(st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=prompts, max_size=prompts))
    at = data.draw(st.integers(0, len(takes) - 1))
    sampler, twin = kind(config(prompts)), None
    for i, n in enumerate(takes):
        if i == at:
            twin = kind(config(prompts))
            twin.load_state_dict(json.loads(json.dumps(sampler.state_dict())))
        rows = sampler.take(n)
        assert twin is None or twin.take(n) == rows
        for row in rows:
            positives = sum(random.Random(f"{i}{row}{j}").random() < rates[row] for j in range(N))
            for one in filter(None, (sampler, twin)):
                one.observe(f"p{row}", positives, N)


@pytest.mark.parametrize("kind", SAMPLERS.values())
def test_a_resumed_sampler_counts_what_it_passed_over_since(kind):
    sampler, twin = kind(config(100)), kind(config(100))
    visits(sampler, [0.0] * 100, rounds=160, each=1)
    twin.load_state_dict(sampler.state_dict())
    assert twin.metrics() == {}  # the buffer that was saved held a batch: nothing was walked
    sampler.metrics()
    assert sampler.take(8) == twin.take(8) and sampler.metrics() == twin.metrics()


@given(prompts=st.integers(1, 20), seed=st.integers(0, 3))
def test_uniform_is_a_seeded_permutation_in_each_pass(prompts, seed):
    sampler = load_sampler("uniform", config(prompts, seed))
    for number in range(3):
        order = list(range(prompts))
        random.Random(f"{seed}:{number}").shuffle(order)
        assert sampler.take(prompts) == order
        assert sampler.metrics() == {}


def test_posterior_spends_visits_where_a_group_may_have_a_gradient():
    rates = [0.0] * 40 + [1.0] * 40 + [1 / N] * 40 + [0.5] * 40
    taken = visits(PosteriorSampler(config(160)), rates, rounds=700)
    parts = ((0, 80), (80, 120), (120, 160))
    solved_or_never, hard, half = (sum(low <= row < high for row in taken) for low, high in parts)
    assert solved_or_never / 80 < 0.5 * half / 40  # a prompt without variance is visited less than half as often
    assert hard / 40 > 0.75 * half / 40  # and one that passes once in a group is not starved


def test_a_prompt_that_a_hint_would_train_is_visited_as_often_as_one_that_is_half_solved():
    rates = [0.0] * 40 + [0.5] * 40
    for prompts, low, high in (((), 0.3, 0.6), (range(40), 0.9, 1.1)):
        hints = {f"p{i}": ("a hint",) for i in prompts}
        filter = load_filter("review+hinted", FilterConfig(k=N, hints=hints))
        taken = visits(PosteriorSampler(replace(config(80), makes_up=filter.makes_up)), rates, rounds=500)
        assert low < sum(row < 40 for row in taken) / sum(row >= 40 for row in taken) < high


def test_groups_that_oversampling_always_rejects_are_not_paid_for():
    """Of 32 rollouts at a rate of 0.9, seven negatives are rare (0.036), though both signs are nearly sure."""
    filter = load_filter("review+oversample_replay", FilterConfig(k=N))
    sampler = PosteriorSampler(SamplerConfig(["p0"], 4 * N, 0, filter.enough_negatives))
    rng = random.Random(0)
    for rate in (0.02, 0.3, 0.5, 0.8, 0.9):
        draws = [sum(rng.random() < rate for _ in range(32)) for _ in range(2000)]
        found = sum(32 - positives >= 7 for positives in draws) / len(draws)
        assert filter.enough_negatives(rate) == pytest.approx(found, abs=0.04)
    assert sampler.worth(0.5) > 0.99 and sampler.worth(1 / 32) > 0.99
    assert sampler.worth(0.9) == pytest.approx(0.036, abs=0.003)
    assert PosteriorSampler(config(1, n=32)).worth(0.9) == 1


@given(st.integers(4, 64))
def test_hard_prompts_are_always_visited_and_nearly_solved_ones_seldom(n):
    worth = PosteriorSampler(config(1, n=n)).worth
    assert [worth(1 / (3 * n)), worth(0.5), worth(1 - 1 / n)] == pytest.approx([1, 1, 1])
    assert 0 < worth(1 / (10 * n)) < 1 and worth(1 - 1 / (3 * n)) < 0.6
    assert worth(0.0) == worth(1.0) == 0


def test_posterior_says_nothing_where_all_prompts_are_alike():
    """The null: the same pass rate everywhere, so that no prompt deserves more visits than another."""
    sampler = PosteriorSampler(config(60))
    taken = visits(sampler, [0.3] * 60, rounds=600)
    mean = len(taken) / 60
    chi2 = sum((taken.count(row) - mean) ** 2 / mean for row in range(60))
    assert chi2 < 60  # fewer than of visits drawn at random, whose mean is 59


def test_a_prompt_that_begins_to_be_solved_is_visited_again_at_once():
    sampler = PosteriorSampler(config(50))
    visits(sampler, [0.0] * 50, rounds=100)
    before = sampler.metrics()["unlearn/sampler_passed_over"]
    visits(sampler, [0.5] * 50, rounds=30)
    sampler.metrics()
    visits(sampler, [0.5] * 50, rounds=30)
    assert sampler.metrics().get("unlearn/sampler_passed_over", 0.0) < 0.1 < 0.4 < before


@given(rate=st.floats(0, 1), n=st.integers(2, 16))
def test_the_chance_of_both_is_that_of_a_sum_over_counts(rate, n):
    terms = (math.comb(n, x) * rate**x * (1 - rate) ** (n - x) for x in range(1, n))
    assert chance_of_both(rate, n) == pytest.approx(sum(terms), abs=1e-9)


def test_the_examples_sampler_prefers_rates_near_a_half():
    sampler = load_sampler("examples/my_sampler.py:NearHalf", config(90))
    taken = visits(sampler, [1 / N] * 45 + [0.5] * 45, rounds=300)
    assert sum(row >= 45 for row in taken) > 1.5 * sum(row < 45 for row in taken)


def test_a_users_own_sampler(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from openrlhf_unlearn.samplers import Sampler\n"
        "class Mine(Sampler):\n"
        "    def wants(self, prompt_id): return prompt_id in ('p0', 'p1')\n"
        "class Average(Sampler):\n"
        "    def __init__(self, config):\n"
        "        super().__init__(config)\n"
        "        self.share = len(set(config.prompts)) / len(config.prompts)\n"
        "class Bare(Sampler):\n"
        "    def __init__(self, config): pass\n"
    )
    taken = load_sampler(f"{path}:Mine", config(10)).take(30)
    assert taken.count(0) > taken.count(5) > 0
    check_sampler(f"{path}:Average")  # before there are prompts
    with pytest.raises(UserError, match="no subclass of Sampler named Other"):
        check_sampler(f"{path}:Other")
    for spec, message in [
        ("posteriro", "--unlearn.sampler posteriro: choose of uniform, posterior, or give path.py:Name"),
        (f"{path}:Other", "no subclass of Sampler named Other"),
        (f"{path}:Bare", "must call super"),
    ]:
        with pytest.raises(UserError, match=message):
            load_sampler(spec, config(10))
    path.write_text("import nothing_of_that_name")
    with pytest.raises(UserError, match=r"--unlearn.sampler .*:Average: ModuleNotFoundError"):
        check_sampler(f"{path}:Average")
