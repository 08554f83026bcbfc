"""Every sentence on a prompt, and data on which it is not said."""

from dataclasses import replace

import numpy as np
import pytest

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.causes.evidence import TELLING
from openrlhf_unlearn.causes.nulls import contradicted
from openrlhf_unlearn.causes.observed import Observed, Visits
from openrlhf_unlearn.causes.posterior import posterior
from openrlhf_unlearn.causes.reading import Cases
from openrlhf_unlearn.causes.time_to_learn import first_reward, rise
from openrlhf_unlearn.causes.words import Sentences
from openrlhf_unlearn.store.run_dir import RunDir
from tests.causes.test_evidence import samples, visits


def words(**known) -> Sentences:
    observed = Observed(**{"final": samples(answers={}), **known})
    cases = Cases([RunDir("run")], ["p"], ["text"], ["1"], ["unlearnable"], observed, {"a": "4821"}, ["other", "third"])
    return Sentences(cases, posterior(observed))


MAJORITY = {"final": samples(answers={"a": 29, "b": 3}), "early": samples(answers={"a": 2})}


FORM = ({"final": samples(answers={}, disputed=20)}, {"final": samples(answers={}, disputed=0)})
GIVES = "29 of 32 samples after training give “4821”, which is graded wrong; before, 2 of 32 did"
GUESSED = {"final": samples(64, 3), "guess": np.array([0.05])}
LOST, STEADY = {"visits": visits(0, 1, 6, 7, 8, 7, 2, 0, 0, 0)}, {"visits": visits(0, 1, 0, 1, 0, 0, 1, 0, 0, 1)}
TWO = [samples(positive=30)]
AGREES = {**MAJORITY, "seconds": [samples(answers={"a": 20})]}


@pytest.mark.parametrize(
    ("kind", "says", "known", "null"),
    [
        ("disputed", "have the label's value in another form", *FORM),
        ("failed", "ended without an answer", {"final": samples(failed=10)}, {"final": samples(failed=1)}),
        ("majority", GIVES, MAJORITY, {}),
        ("kin", "80 % of the samples after training are right", {"kin": np.array([0.8])}, {}),
        ("guess", "what a guess may earn", GUESSED, {"guess": np.array([0.0])}),
        ("trend", "rose", {"visits": visits(0, 0, 0, 1, 1, 2, 3, 3, 4)}, {"visits": visits(0, 0, 0)}),
        ("peak", "In its best stretch", LOST, STEADY),
        ("second", "other solves it in 30 of 32", {"seconds": [samples(positive=30)]}, {}),
        ("second", "other gives “4821” too, in 20 of 32", AGREES, MAJORITY),
    ],
)
def test_a_sentence_is_said_of_its_data_and_of_no_other(kind, says, known, null):
    assert says in words(**known).line(kind, 0)
    assert words(**null).line(kind, 0) is None


def test_the_model_that_agrees_is_named_also_beside_one_whose_texts_were_not_kept():
    seconds = [samples(), samples(answers={"a": 20})]
    assert "third gives “4821” too, in 20 of 32" in words(**MAJORITY, seconds=seconds).line("second", 0)


def test_answers_of_a_third_of_training_are_called_so():
    third = {"third": np.array([40])}
    late, early = (
        replace(samples(answers={"a": 29}, disputed=10), **third),
        replace(samples(0, answers={"a": 2}), **third),
    )
    say = words(final=late, early=early)
    assert say.line("majority", 0).startswith("29 of 40 rollouts in the last third of training give “4821”")
    assert "; in the first third, 2 of 40 did" in say.line("majority", 0)
    assert say.line("disputed", 0).startswith("10 of 40 rollouts in the last third of training were graded wrong")


def test_a_trend_that_chance_gives_is_called_so():
    assert "did not change beyond chance" in words(visits=visits(0, 1, 0, 1, 0, 0, 1, 0)).line("trend", 0)


def test_a_majority_that_is_none_is_called_so():
    assert "settled on no answer" in words(final=samples(answers={"a": 4, "b": 4})).line("majority", 0)


def test_an_answer_that_was_common_before_too_is_not_called_no_answer():
    kept = words(final=samples(answers={"a": 25, "b": 7}), early=samples(answers={"a": 24, "b": 8}))
    assert kept.line("growth", 0) == kept.line("majority", 0) and "settled" not in kept.line("growth", 0)


def test_what_its_own_evidence_contradicts_is_no_open_question():
    kept = words(final=samples(answers={"a": 32}, disputed=0), early=samples(answers={"a": 31}), kin=np.array([0.0]))
    assert kept.seen.final.disputed is not None and contradicted(kept.found.values)[0, CAUSES.index("verifier")]
    assert "graded wrong" not in kept.settles(0, "undecided")[0]


def test_lines_are_of_the_likeliest_cause_and_each_is_said_once():
    lines = words(**MAJORITY, kin=np.array([0.9]), visits=visits(*[0] * 20)).lines(0)
    assert lines[0].startswith(("29 of 32", "On the prompts")) and len(lines) == len(set(lines))
    assert not any("best stretch" in line or "solves it" in line for line in lines)


def test_what_a_cause_is_about_comes_first_and_is_never_said_against_it():
    for kind, cause, known in (
        ("majority", "wrong_label", {**MAJORITY, "kin": np.array([0.9]), "visits": visits(*[0] * 20)}),
        ("second", "beyond", {"kin": np.array([0.0]), "visits": visits(0, 1, 0, 0, 1, 0), "seconds": TWO}),
    ):
        say = words(**known)
        say.found.probability[0] = [name == cause for name in CAUSES]
        for factor in say.found.factors.values():
            factor[0, CAUSES.index(cause)] = -5.0  # all of it speaks against the cause
        lines = say.lines(0)
        assert lines[0] == say.line(kind, 0) and f"Against it: {lines[0]}" not in lines


def test_that_another_model_agrees_is_said_whatever_the_cause():
    assert "other gives “4821” too, in 20 of 32 samples." in words(**AGREES, kin=np.array([0.0])).lines(0)
    assert "gives this model's commonest wrong answer too, in 20" in words(
        final=samples(answers={"b": 29}), seconds=[samples(answers={"b": 20})]
    ).line("second", 0)


@pytest.mark.parametrize(
    ("near", "says"),
    [
        (np.nan, "does not, fails on this one."),
        (0.4, "does not, fails on this one."),
        (0.0, "neither this one nor those nearest"),
    ],
)
def test_prompts_like_it_are_only_spoken_of_where_there_are_any_that_another_model_does_not_solve(near, says):
    kin = {"kin": np.array([0.0]), "kin_second": np.array([[near]])}
    say = words(seconds=[samples()], **kin)
    say.found.values["second"][0] = TELLING["fails, and its kin"]
    say._telling_second = lambda row, value: 0
    assert says in say.line("second", 0)


def test_what_another_model_solves_asks_for_no_second_model():
    assert words(seconds=TWO).settles(0, "beyond")[1] == "openrlhf-unlearn models run base=BASE other=OTHER"
    assert words().settles(0, "wrong_label")[0] == "a person who reads it", "no answer is proposed"


def test_with_one_model_the_two_that_it_cannot_tell_apart_exclude_each_other():
    flat = {"visits": visits(*[0, 1] * 15), "kin": np.array([0.0]), "guess": np.array([0.0])}
    text, _ = words(**flat, final=samples(answers={"a": 2, "b": 2})).settles(0, "undecided")
    assert text.startswith("beyond this model, not beyond all (") and "beyond any, as labels of no rule are (" in text


def test_what_would_settle_it():
    flat = {"visits": visits(*[0, 1] * 15), "kin": np.array([0.0]), "guess": np.array([0.0])}
    flat["final"] = samples(answers={"a": 2, "b": 2})
    text, command = words(**flat).settles(0, "undecided")
    assert "a second model" in text and command == "openrlhf-unlearn diagnose run --second MODEL"
    assert words(**MAJORITY).settles(0, "wrong_label")[1].startswith("openrlhf-unlearn diagnose run --export")


def test_opposed_gradients_are_only_said_of_what_was_forgotten():
    seen = words(opposed=np.array([-0.5]))
    assert "opposed (cosine -0.50)" in seen.opposed(0, "forgotten")
    assert seen.opposed(0, "beyond") is None
    assert words(opposed=np.array([0.1])).opposed(0, "forgotten") is None
    assert words().opposed(0, "forgotten") is None


def test_a_first_reward_is_only_forecast_where_there_was_none():
    assert "98 samples more" in words().outlook(0, "never_rewarded")
    assert words(final=samples(positive=1)).outlook(0, "never_rewarded") is None
    assert words().outlook(0, "beyond") is None


def test_half_of_the_priors_futures_have_a_hit_by_then():
    rng = np.random.default_rng(0)
    rates = rng.beta(0.5, 0.5 + 40, 200_000)  # Jeffreys' posterior after none of 40
    assert abs((rng.binomial(first_reward(40), rates) > 0).mean() - 0.5) < 0.01


def test_a_rise_is_drawn_on_and_a_constant_rate_is_not():
    steps = np.arange(1, 31)
    rate = 1 / (1 + np.exp(-(steps - 60) / 10))  # half at step 60
    rng, found = np.random.default_rng(1), []
    for _ in range(40):
        course = Visits(np.zeros(30, int), steps, np.full(30, 64), rng.binomial(64, rate))
        found.append(rise(course, 0))
    assert 20 < np.median([one.steps for one in found if one]) < 45
    flat = [rise(Visits(np.zeros(30, int), steps, np.full(30, 8), rng.binomial(8, 0.05, 30)), 0) for _ in range(200)]
    assert sum(one is not None for one in flat) <= 12, "one in forty by chance"
