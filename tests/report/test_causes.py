"""The answer's second sentence once there is a diagnosis, and data under which its parts must not be said."""

from types import SimpleNamespace

import pytest

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.report.causes import WHAT, Causes, sentence
from openrlhf_unlearn.report.numbers import Say


def said(*causes: str, seconds: tuple[str, ...] = ("able",)) -> str | None:
    """Of prompts with these causes."""
    table = [SimpleNamespace(cause=cause) for cause in causes]
    summary = {"sure": 0.9, "seconds": list(seconds)}
    found = Causes(table, {i: i for i in range(len(table))}, summary, len(table)) if causes else None
    template = sentence(SimpleNamespace(causes=found))
    return template and Say(*template, "answer").text


def test_nothing_is_said_without_a_diagnosis():
    assert said() is None


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_said_of_its_prompts_and_no_other_cause(cause):
    text = said(cause, cause, "undecided")
    words = {name: Say(template, {name: 2}, "").text for name, template in WHAT.items()}
    assert text == f"Why, where it is at least 90 % sure: 2 {words[cause]}; of 1 it cannot be told."
    assert not [name for name in CAUSES if name != cause and words[name] in text]
    assert "it cannot be told" not in said(cause)


def test_where_nothing_is_decided_no_cause_is_said():
    text = "Why 2 prompts were not learned cannot be told of any with a probability of 90 %"
    assert said("undecided", "undecided") == text + "."
    assert said("undecided", "undecided", seconds=()) == text + " with one model (`diagnose --second`)."


def test_one_model_is_only_blamed_for_what_is_open_and_where_there_is_one():
    assert "of 1 it cannot be told with one model" in said("beyond", "undecided", seconds=())
    assert "one model" not in said("beyond", "undecided") and "one model" not in said("beyond", seconds=())
