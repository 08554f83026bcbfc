import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.filters import FILTERS, FilterConfig, Group, Rollout, load_filter
from openrlhf_unlearn.filters.forgetting import Forgetting

EVERY, AT_MOST = FilterConfig(k=4).review_every, FilterConfig(k=4).review_at_most

CONFIG = FilterConfig(k=2, oversample_factor=2, adaptive=True)
histories = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=4)), max_size=30
)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.25, 0.375, 0.5, 1.0])), max_size=30))
def test_the_turnover_is_that_of_the_last_clear_visit(history):
    """A visit below 0.25 or from 0.5 is clear; the last clear one says whether a prompt is solved."""
    forgetting, solved, ever = Forgetting(), {}, set()
    for name, mean in history:
        before = solved.get(name, False)
        solved[name] = now = mean >= 0.5 or (before and mean >= 0.25)
        ever |= {name} if now else set()
        assert forgetting.visit(name, mean) == {(False, True): "gained", (True, False): "lost"}.get((before, now))
        assert forgetting.solved == {n for n in solved if solved[n]}
        assert set(forgetting.lost) == ever - forgetting.solved


def visit(mine, name, *rewards):
    return mine.decide(Group(name, tuple(map(Rollout, rewards))))


def lose(mine, names):
    for rewards in ((1.0, 1.0), (0.0, 0.0)):
        for name in names:
            visit(mine, name, *rewards)


def test_lost_prompts_come_back_longest_lost_first_and_not_more_often_than_said():
    mine = load_filter("review", CONFIG)
    names = [f"p{i}" for i in range(AT_MOST + 2)]
    lose(mine, names)
    assert mine.revisit(EVERY - 1) == []
    assert mine.revisit(EVERY) == names[:AT_MOST]
    assert mine.revisit(EVERY) == []
    for name in names[:AT_MOST]:
        visit(mine, name, 0.0, 0.0)
    assert mine.revisit(2 * EVERY) == [*names[AT_MOST:], *names[: AT_MOST - 2]]
    visit(mine, names[0], 1.0, 1.0)  # found again
    assert names[0] not in mine.revisit(3 * EVERY)


def test_lost_prompts_that_a_step_had_no_room_for_are_due_before_those_that_it_sampled():
    mine = load_filter("review", CONFIG)
    names = [f"p{i}" for i in range(AT_MOST)]
    lose(mine, names)
    assert mine.revisit(EVERY) == names
    for name in names[:2]:  # the batch takes two
        visit(mine, name, 0.0, 0.0)
    assert mine.revisit(2 * EVERY) == [*names[2:], *names[:2]]


@pytest.mark.parametrize("spec", ["review", "review+dynamic"])
def test_alone_it_filters_as_dynamic_does(spec):
    mine = load_filter(spec, CONFIG)
    assert visit(mine, "a", 1.0, 1.0).reason == "zero_variance"
    assert visit(mine, "a", 1.0, 0.0).accepted


@pytest.mark.parametrize("name", FILTERS)
@given(history=histories)
def test_the_filter_inside_decides_as_it_would_alone(name, history):
    mine, alone = load_filter(f"review+{name}", CONFIG), load_filter(name, CONFIG)
    assert mine.samples_per_wave == alone.samples_per_wave
    for prompt, rewards in history:
        group = Group(prompt, tuple(map(Rollout, rewards)))
        assert mine.wants_more(group) == alone.wants_more(group)
        assert mine.decide(group) == alone.decide(group)
        assert mine.metrics() == alone.metrics()


def test_only_the_first_wave_says_whether_a_prompt_is_lost():
    """Here two waves of 2: the second was drawn because the first one had no positive."""
    mine = load_filter("review+oversample_replay", CONFIG)
    visit(mine, "a", 1.0, 0.0)
    visit(mine, "a", 0.0, 0.0, 1.0, 1.0)
    assert mine.revisit(EVERY) == ["a"]


@given(histories, st.integers(0, 30))
def test_a_state_saved_at_any_moment_goes_on_the_same(history, at):
    mine, again = (load_filter("review+oversample_replay", CONFIG) for _ in range(2))
    for i, (name, rewards) in enumerate(history):
        if i == at:
            again.load_state_dict(pickle.loads(pickle.dumps(mine.state_dict())))
        decision, due = visit(mine, name, *rewards), mine.revisit(i)
        if i >= at:
            assert (visit(again, name, *rewards), again.revisit(i)) == (decision, due)
