import copy
import pickle
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from openrlhf_unlearn.filters.replay_buffer import ReplayBuffer

configs = st.builds(
    FilterConfig,
    k=st.just(4),
    seed=st.integers(0, 3),
    oversample_factor=st.integers(1, 3),
    positives_per_group=st.integers(1, 2),
    replay_limit=st.integers(1, 3),
)
visits = st.lists(
    st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from([0.0, 0.0, 1.0]), min_size=12, max_size=12)), max_size=12
)


def make(visit, number, size):
    name, rewards = visit
    return Group(name, tuple(Rollout(r, payload=(name, number, i)) for i, r in enumerate(rewards[:size])))


@given(configs, visits)
def test_against_the_rules_written_out(config, visits):
    """Counts, sources, replay limits and no leak between prompts, checked on every decision of a history."""
    mine = OversampleReplayFilter(config)
    uses, stored = Counter(), {"a": set(), "b": set()}
    for number, visit in enumerate(visits):
        group = make(visit, number, mine.total)
        positives = {r.payload for r in group.rollouts if r.reward == 1.0}
        negatives = {r.payload for r in group.rollouts if r.reward == 0.0}
        usable = {p for p in stored[group.prompt_id] if uses[p] < config.replay_limit}
        enough = len(positives) + len(usable) >= config.positives_per_group
        decision = mine.decide(group)
        assert decision.accepted == (enough and len(negatives) >= config.k - config.positives_per_group)
        if decision.accepted:
            fresh = [r for r in decision.rollouts if not r.replayed]
            replayed = [r.payload for r in decision.rollouts if r.replayed]
            assert len(decision.rollouts) == len({r.payload for r in decision.rollouts}) == config.k
            assert {r.payload for r in fresh} <= positives | negatives
            assert sum(r.positive for r in decision.rollouts) == config.positives_per_group
            assert len(replayed) == max(0, config.positives_per_group - len(positives)) == decision.n_replayed
            assert set(replayed) <= usable
            uses.update(replayed)
        stored[group.prompt_id] |= positives
        # The oracle forgets as the buffer does: the eight youngest that may still be used.
        alive = sorted((p for p in stored[group.prompt_id] if uses[p] < config.replay_limit), key=lambda p: p[1:])
        stored[group.prompt_id] = set(alive[-mine.buffer.per_prompt :])
        assert mine.buffer.available(group.prompt_id) == len(stored[group.prompt_id])


@given(configs, visits, st.integers(0, 12))
def test_a_state_saved_at_any_moment_brings_the_same_decisions(config, visits, at):
    mine, again = OversampleReplayFilter(config), OversampleReplayFilter(config)
    for number, visit in enumerate(visits):
        if number == at:
            again.load_state_dict(pickle.loads(pickle.dumps(mine.state_dict())))
        group = make(visit, number, mine.total)
        decision = mine.decide(group)
        if number >= at:
            assert again.decide(group) == decision
    assert number_of_draws(mine) == len(visits)


def number_of_draws(mine):
    return sum(mine.visits.values())


@given(configs, visits)
def test_draws_do_not_depend_on_the_order_between_prompts(config, visits):
    together, apart = OversampleReplayFilter(config), OversampleReplayFilter(config)
    groups = [make(visit, number, together.total) for number, visit in enumerate(visits)]
    first = {id(group): together.decide(group) for group in groups}
    for group in sorted(groups, key=lambda group: group.prompt_id):
        assert apart.decide(group) == first[id(group)]


def test_every_positive_and_negative_is_drawn_equally_often():
    config = FilterConfig(k=4, oversample_factor=3)
    rewards = [1.0] * 3 + [0.0] * 9
    kept = Counter()
    n = 3000
    for seed in range(n):
        config = FilterConfig(k=4, seed=seed, oversample_factor=3)
        group = Group("p", tuple(Rollout(r, payload=i) for i, r in enumerate(rewards)))
        kept.update(r.payload for r in OversampleReplayFilter(config).decide(group).rollouts)
    for i, reward in enumerate(rewards):
        share = 1 / 3  # one of three positives, three of nine negatives
        deviation = (share * (1 - share) * n) ** 0.5
        assert abs(kept[i] - share * n) < 4.5 * deviation, (i, reward)


adaptive = FilterConfig(k=4, oversample_factor=4, adaptive=True)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=16, max_size=16))
def test_adaptive_accepts_exactly_when_the_fixed_draw_does_and_samples_no_more(rewards):
    mine = OversampleReplayFilter(adaptive)
    rollouts = tuple(Rollout(r, payload=i) for i, r in enumerate(rewards))
    n = mine.samples_per_wave
    while more := mine.wants_more(Group("p", rollouts[:n])):
        n += more
    assert n <= 16
    fixed = OversampleReplayFilter(FilterConfig(k=4, oversample_factor=4))
    assert mine.decide(Group("p", rollouts[:n])).accepted == fixed.decide(Group("p", rollouts)).accepted


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=30), st.integers(1, 6))
def test_the_buffer_keeps_its_bounds_and_the_youngest(adds, total):
    buffer = ReplayBuffer(limit=2, per_prompt=3, total=total)
    history = []
    for name, n in adds:
        rollouts = [Rollout(1.0, payload=(name, len(history) + i)) for i in range(n)]
        history += rollouts
        buffer.add(name, rollouts)
        assert len(buffer) == sum(buffer.available(name) for name in "abc") <= total
        assert max(buffer.available(name) for name in "abc") <= 3
    if adds and total >= 3:
        assert buffer.available(adds[-1][0]) >= min(adds[-1][1], 3)


def test_taking_more_than_there_is_changes_nothing():
    import random

    buffer = ReplayBuffer(limit=1)
    buffer.add("a", [Rollout(1.0)])
    before = copy.deepcopy(buffer.state_dict())
    with pytest.raises(ValueError):
        buffer.take("a", 2, random.Random(0))
    assert buffer.state_dict() == before
    assert [r.replayed for r in buffer.take("a", 1, random.Random(0))] == [True]
    assert len(buffer) == 0
