"""The answer's second sentence once there is a diagnosis, and data under which its parts must not be said."""

from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.report.causes import WHAT, Causes, sentence
from openrlhf_unlearn.report.numbers import Say

ASK = "openrlhf-unlearn diagnose run --second MODEL"


def said(*causes: str, command: str = "openrlhf-unlearn diagnose run --export review.csv", commands=()) -> str | None:
    """Of prompts with these causes; command: what would settle them, commands: each of them."""
    settle = commands or [command] * len(causes)
    table = [SimpleNamespace(cause=cause, command=each) for cause, each in zip(causes, settle, strict=True)]
    summary = {"sure": 0.9, "seconds": []}
    found = Causes(table, {i: i for i in range(len(table))}, summary, len(table)) if causes else None
    template = sentence(SimpleNamespace(causes=found))
    return template and Say(*template, "answer").text


def test_nothing_is_said_without_a_diagnosis():
    assert said() is None


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_said_of_its_prompts_and_no_other_cause(cause):
    text = said(cause, cause, "undecided")
    words = {name: Say(template, {name: 2}, "").text for name, template in WHAT.items()}
    assert text == f"Why, where it is at least 90 % sure: 2 {words[cause]}; for 1 it is uncertain."
    assert not [name for name in CAUSES if name != cause and words[name] in text]
    assert "uncertain" not in said(cause)


def test_where_nothing_is_decided_no_cause_is_said():
    text = "Why 2 prompts were not learned is uncertain: no cause of any has a probability of 90 % that its evidence "
    text += "bears out"
    assert said("undecided", "undecided") == text + "."
    assert said("undecided", "undecided", command=ASK) == text + " with one model (`diagnose --second`)."


def test_one_model_is_only_blamed_for_what_is_open_and_where_there_is_one():
    assert "for 1 it is uncertain with one model" in said("beyond", "undecided", command=ASK)
    both = said("beyond", "undecided", "undecided", commands=["", ASK, "more training"])
    assert "for 2 it is uncertain, for 1 of these with one model" in both
    assert "one model" not in said("beyond", "undecided") and "one model" not in said("beyond", command=ASK)


@pytest.mark.parametrize(("seconds", "told"), [([], [0, 0, 1]), (["able"], [0, 1, 1])])
def test_no_probability_is_shown_of_what_is_open_nor_of_what_one_model_cannot_say(seconds, told):
    table = [SimpleNamespace(cause=cause, probability=0.9) for cause in ("undecided", "wrong_label", "verifier")]
    shown = Causes(table, {0: 0, 1: 1, 2: 2}, {"seconds": seconds}, 4).probability
    assert np.isfinite(shown).tolist() == [*map(bool, told), False]


def test_a_prompts_view_has_what_would_settle_it_with_its_command():
    row = SimpleNamespace(cause="undecided", probability=0.5, evidence=["Why."], settle="ask another", command=ASK)
    shown = Causes([row], {3: 0}, {}, 4).opened(3)
    assert shown["evidence"] == ["Why.", f"ask another ({ASK})"]
