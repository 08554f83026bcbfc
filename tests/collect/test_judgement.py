import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.collect.judgement import judge, single
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import VERDICTS

FORMS = [
    lambda x: x,
    lambda x: [x],
    lambda x: ([x],),
    lambda x: numpy.float64(x),
    lambda x: numpy.array([[x]]),
    lambda x: torch.tensor(x, dtype=torch.float64),
    lambda x: torch.tensor([x], dtype=torch.float64),
    lambda x: [torch.tensor([x], dtype=torch.float64)],
]
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, st.sampled_from(FORMS))
def test_one_number_in_any_form(x, form):
    assert single(form(x)) == x


@pytest.mark.parametrize(
    "value", [[], [1, 2], torch.ones(3), numpy.zeros((2, 1)), "1", None, {"a": 1}, [[1, 2]], [None]]
)
def test_what_is_not_one_number(value):
    with pytest.raises(ValueError):
        single(value)


def response(reward, scores=None, logs=None):
    return {"prompt": "1+1=", "reward": reward, "scores": scores, "extra_logs": logs}


@given(numbers, st.none() | numbers, st.floats(-2, 2))
def test_the_score_judges_where_there_is_one(reward, score, threshold):
    found = judge(response(reward, score), threshold)
    assert found.reward == reward
    assert found.signal == (reward if score is None else score)
    assert found.positive == (found.signal > threshold) == (found.verdict == "correct")


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0, 1), (False, True)])
def test_the_default_threshold_suits_both_usual_pairs(low, high):
    assert [judge(response(value), 0.5).positive for value in (low, high)] == [False, True]


def test_our_graders_verdict_is_taken_and_only_numbers_stay_in_the_logs():
    logs = {"unlearn_verdict": torch.tensor([3.0]), "length": [5], "text": "x", "nothing": None, "many": [1, 2]}
    found = judge(response(0.0, None, logs), 0.5)
    assert found.verdict == VERDICTS[3] and found.logs == {"length": 5.0}
    assert len(logs) == 5, "the response itself is left as it is"


def test_a_failure_is_told_before_the_missing_reward():
    with pytest.raises(UserError, match=r"the reward function failed: KeyError: 'a' \(prompt '1\+1='\)"):
        judge(response(None, None, {"unlearn_error": "KeyError: 'a'"}), 0.5)
    with pytest.raises(UserError, match="gave no reward"):
        judge(response(None), 0.5)
    with pytest.raises(UserError, match="gave score inf"):
        judge(response(1.0, float("inf")), 0.5)
