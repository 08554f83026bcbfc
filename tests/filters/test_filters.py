import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import FILTERS, Decision, FilterConfig, Group, Rollout, load_filter

CONFIG = FilterConfig(k=4)


def group(*rewards):
    return Group("p", tuple(Rollout(reward, payload=i) for i, reward in enumerate(rewards)))


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=8))
def test_dynamic_trains_exactly_the_groups_with_an_advantage(rewards):
    decision = load_filter("dynamic", CONFIG).decide(group(*rewards))
    mean = sum(rewards) / len(rewards)
    has_advantage = any(reward != mean for reward in rewards)
    assert decision.accepted == has_advantage
    assert decision.reason == ("accepted" if has_advantage else "zero_variance")
    assert [rollout.payload for rollout in decision.rollouts] == (list(range(len(rewards))) if has_advantage else [])


def test_rounding_errors_are_no_variance():
    assert load_filter("dynamic", CONFIG).decide(group(0.1 + 0.2, 0.3, 0.3)).reason == "zero_variance"


@pytest.mark.parametrize("reward", [None, float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_refused_by_the_prompts_name(reward):
    with pytest.raises(ValueError, match="prompt p has a reward that is not a finite number"):
        group(0.0, reward)


def test_none_trains_everything():
    assert load_filter("none", CONFIG).decide(group(0.0, 0.0)).accepted


def test_positive_is_a_reward_above_one_half():
    assert group(0.5, 0.51, 1.0, 0.0).n_positive == 2


def test_the_example_of_a_users_filter_keeps_its_state():
    spec = "examples/my_filter.py:NearlySolved"
    mine = load_filter(spec, CONFIG)
    assert mine.decide(group(1.0, 1.0, 1.0, 0.0)).reason == "nearly_solved"
    assert mine.decide(group(0.0, 0.0, 0.0, 0.0)).reason == "no_positive"
    assert mine.decide(group(1.0, 0.0, 0.0, 0.0)).accepted
    again = load_filter(spec, CONFIG)
    again.load_state_dict(mine.state_dict())
    assert again.nearly_solved_seen == 1


@pytest.mark.parametrize(
    ("spec", "text", "message"),
    [
        ("dynamc", None, "choose of " + ", ".join(FILTERS)),
        ("{path}:Mine", None, "no such file"),
        ("{path}:Mine", "x = 1", "no subclass of SampleFilter named Mine"),
        ("{path}:Mine", "Mine = int", "no subclass of SampleFilter named Mine"),
        ("{path}:Mine", "1 / 0", "ZeroDivisionError"),
        (
            "{path}:Mine",
            "from openrlhf_unlearn.filters import SampleFilter\n"
            "class Mine(SampleFilter):\n    def __init__(self, config): raise KeyError('k')",
            "KeyError: 'k'",
        ),
        (
            "{path}:Mine",
            "from openrlhf_unlearn.filters import SampleFilter\n"
            "class Mine(SampleFilter):\n    def __init__(self, config): raise ValueError('two\\nlines')",
            "ValueError: two lines",
        ),
        (
            "{path}:Mine",
            "from openrlhf_unlearn.filters import SampleFilter\n"
            "class Mine(SampleFilter):\n    def __init__(self, config): pass",
            "must call super",
        ),
        ("{path}:Mine", "def f(:", "SyntaxError"),
        ("review+dynamc", None, "choose of"),
        ("dynamic+review", None, "choose of"),
    ],
)
def test_a_filter_that_cannot_be_made_is_one_line(tmp_path, spec, text, message):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_filter(spec.format(path=path), CONFIG)
    assert "\n" not in str(caught.value)


def test_a_group_of_another_number_than_k_is_refused_naming_filter_and_prompt():
    rollouts = group(1.0, 0.0, 1.0, 0.0).rollouts
    for kept in (rollouts[:3], rollouts + rollouts[:1], ()):
        with pytest.raises(UserError, match=rf"--unlearn.filter mine kept {len(kept)} rollouts of prompt p; .*k = 4"):
            Decision(True, "accepted", kept).check(4, "mine", "p")
    Decision(True, "accepted", rollouts).check(4, "mine", "p")
    Decision(False, "zero_variance").check(4, "mine", "p")


USERS = """
from openrlhf_unlearn.filters import SampleFilter

class Mine(SampleFilter):
    def __init__(self, config):
        super().__init__(config)
        self.seen = []

    def decide(self, group):
        self.seen.append(group.prompt_id)
        return super().decide(group)

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]
"""


@pytest.mark.parametrize("prefix", ["", "review+"])
def test_the_state_of_a_users_filter_comes_back(tmp_path, prefix):
    (tmp_path / "mine.py").write_text(USERS)
    spec = f"{prefix}{tmp_path}/mine.py:Mine"
    mine = load_filter(spec, CONFIG)
    assert mine.decide(group(0.0, 0.0)).accepted
    saved = json.dumps(mine.state_dict())
    again = load_filter(spec, CONFIG)
    again.load_state_dict(json.loads(saved))
    assert (again.inner if prefix else again).seen == ["p"]
