import pickle

from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout
from openrlhf_unlearn.filters.forgetting import Forgetting
from openrlhf_unlearn.filters.review import AT_MOST, EVERY, ReviewFilter

histories = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.25, 0.5, 1.0])), max_size=30)


@given(histories)
def test_the_turnover_is_that_of_the_last_two_visits(history):
    forgetting, seen = Forgetting(), {}
    for name, mean in history:
        before, now = seen.get(name, False), mean >= 0.5
        assert forgetting.visit(name, mean) == {(False, True): "gained", (True, False): "lost"}.get((before, now))
        seen[name] = now
        once = {n for n, m in history[: history.index((name, mean)) + 1] if m >= 0.5} | set(forgetting.solved)
        assert forgetting.solved == {n for n, solved in seen.items() if solved}
        assert forgetting.solved.isdisjoint(forgetting.lost) and forgetting.solved <= once


def visit(mine, name, *rewards):
    return mine.decide(Group(name, tuple(map(Rollout, rewards))))


def test_lost_prompts_come_back_longest_lost_first_and_not_more_often_than_said():
    mine = ReviewFilter(FilterConfig(k=2))
    names = [f"p{i}" for i in range(AT_MOST + 2)]
    for name in names:
        visit(mine, name, 1.0, 1.0)
    for name in names:
        visit(mine, name, 0.0, 0.0)
    assert mine.revisit(EVERY - 1) == []
    assert mine.revisit(EVERY) == names[:AT_MOST]
    assert mine.revisit(EVERY) == []
    assert mine.revisit(2 * EVERY) == [*names[AT_MOST:], *names[: AT_MOST - 2]]
    visit(mine, names[0], 1.0, 1.0)  # found again
    assert names[0] not in mine.revisit(3 * EVERY)


def test_it_filters_as_dynamic_does():
    mine = ReviewFilter(FilterConfig(k=2))
    assert visit(mine, "a", 1.0, 1.0).reason == "zero_variance"
    assert visit(mine, "a", 1.0, 0.0).accepted


@given(histories, st.integers(0, 30))
def test_a_state_saved_at_any_moment_goes_on_the_same(history, at):
    mine, again = ReviewFilter(FilterConfig(k=2)), ReviewFilter(FilterConfig(k=2))
    for i, (name, mean) in enumerate(history):
        if i == at:
            again.load_state_dict(pickle.loads(pickle.dumps(mine.state_dict())))
        visit(mine, name, mean, mean)
        if i >= at:
            visit(again, name, mean, mean)
            assert again.revisit(i) == mine.revisit(i)
        else:
            mine.revisit(i)
