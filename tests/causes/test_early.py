"""P(not learned): its null, its direction, and that it beats the current rate on seeds it was not fitted on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.causes.early import by_group, not_learned
from openrlhf_unlearn.collect.history import History, histories
from tests.causes.simulator import simulate


def after(*positives: int, k: int = 8) -> History:
    history = History()
    for positive in positives:
        history.visit(k, positive)
    return history


def test_a_prompt_without_a_visit_has_no_probability():
    p = not_learned([History(), after(0)], 0.5)
    assert np.isnan(p[0]) and 0 < p[1] < 1
    assert not_learned([], 0.5).tolist() == []


@given(st.lists(st.integers(0, 8), min_size=1, max_size=20), st.floats(0, 1))
def test_it_is_a_probability_whatever_came(positives, done):
    assert 0 <= not_learned([after(*positives)], done)[0] <= 1


def test_solved_prompts_are_safe_and_late_failures_are_not():
    solved, failing = not_learned([after(*[8] * 8), after(*[0] * 8)], 0.7)
    assert solved < 0.1 < 0.7 < failing


def test_a_group_is_the_mean_of_its_prompts():
    table = by_group(np.array([0.2, 0.4, 0.99, np.nan]), np.array(["easy", "easy", "hard", "none"]))
    assert table["easy"] == {"prompts": 2, "expected": 0.30000000000000004, "sure": 0}
    assert table["hard"]["sure"] == 1 and "none" not in table


def test_it_beats_the_current_rate_at_a_third():
    mine, rate = [], []
    for seed in range(30_000, 30_006):
        course = simulate(seed).course
        early = course.visits.step <= course.visits.step.max() / 3
        seen = (course.visits.row[early], course.visits.n[early], course.visits.positive[early])
        past = histories(*seen, len(course.final))
        failed = (course.final < 0.1)[course.hard]
        mine.append(((not_learned(past, 1 / 3, course.near)[course.hard] - failed) ** 2).mean())
        rate.append(((1 - np.array([h.rate for h in past])[course.hard] - failed) ** 2).mean())
    assert np.mean(mine) < 0.9 * np.mean(rate)


@pytest.mark.parametrize(("done", "bias"), [(1 / 3, 0.05), (2 / 3, 0.03)])
def test_what_is_expected_comes_and_who_is_sure_is_not_learned(done, bias):
    """On average over runs. A third into training too many are expected, as docs/diagnose.md says."""
    apart, sure = [], []
    for seed in range(30_000, 30_024):
        course = simulate(seed).course
        early = course.visits.step <= course.visits.step.max() * done
        seen = (course.visits.row[early], course.visits.n[early], course.visits.positive[early])
        p = not_learned(histories(*seen, len(course.final)), done, course.near)[course.hard]
        failed = (course.final < 0.1)[course.hard]
        apart.append(p.mean() - failed.mean())
        sure += list(failed[p >= 0.95])
    assert abs(np.mean(apart)) <= bias
    assert len(sure) > 500 and np.mean(sure) >= 0.95


@given(st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=8), min_size=2, max_size=6), st.floats(0, 1))
def test_without_kin_its_own_rate_stands_in_and_what_stayed_behind_its_kin_hardly_follows(courses, done):
    past = [after(*course) for course in courses]
    own, none = (
        not_learned(past, done, [np.array(rows, dtype=int) for rows in near])
        for near in ([[i] for i in range(len(past))], [[] for _ in past])
    )
    still = [history.rate == history.slow_rate for history in past]
    assert ((none >= 0) & (none <= 1)).all() and np.allclose(own[still], none[still])
    solved, failing = after(*[8] * 8), after(*[0] * 8)
    p = not_learned([failing, failing, solved, failing], 0.5, [np.array([row]) for row in (2, 3, 2, 3)])
    assert p[0] > p[1]


def test_a_history_survives_its_state():
    history = after(1, 0, 3)
    assert History(*history.state()) == history
