"""What each remedy says of its data, and data on which it does not say it."""

import shlex

import numpy as np
import pytest

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.causes.observed import Observed, Visits
from openrlhf_unlearn.causes.posterior import posterior
from openrlhf_unlearn.causes.reading import Cases
from openrlhf_unlearn.causes.remedies import Remedy, remedies
from openrlhf_unlearn.cli.check import check_verb
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.store.run_dir import RunDir
from tests.causes.test_evidence import samples, visits

STEPS = np.arange(1, 31)
RISES = Visits(np.zeros(30, int), STEPS, np.full(30, 64), np.round(64 / (1 + np.exp((40 - STEPS) / 6))).astype(int))
FLAT = visits(0, 1, 0, 1, 0, 0, 1, 0)
SOLVED = {"visits": visits(0, 1, 6, 7, 8, 7, 2, 0, 0, 0)}
REWRITTEN, CUT_OFF = ({"final": samples(failed=10, disputed=disputed)} for disputed in (20, 0))
TWO = {"seconds": [samples(positive=16), samples(positive=2)]}
ANSWER = {"final": samples(answers={"a": 30})}
MORE_STEPS = "at the pace of the 1 that surely rises, half of the samples are right after about"


def given(cause: str, said_of: str | None = None, independent=True, texts=None, hinted=None, **known) -> list[Remedy]:
    """The remedy of `cause`, of one prompt of which `said_of` is said."""
    independent &= "seconds" in known
    observed = Observed(**{"final": samples(answers={}), **known})
    cases = Cases(
        [RunDir("run")],
        ["p"],
        ["text"],
        ["1"],
        ["unlearnable"],
        observed,
        texts or {},
        independent=independent,
        hinted=hinted,
    )
    found = remedies(cases, posterior(observed), np.array([said_of or cause], dtype=object))
    return [one for one in found if one.cause == cause]


def said(*of, **known) -> str:
    return " ".join(Say(one.template, one.numbers, "").text for one in given(*of, **known))


@pytest.mark.parametrize(
    ("cause", "says", "known", "null"),
    [
        ("verifier", "pass@1 would read 0.625 instead of 0.000", REWRITTEN, CUT_OFF),
        ("verifier", "would read", REWRITTEN, CUT_OFF),  # X instead of X
        ("verifier", "would read", REWRITTEN, {}),
        ("never_rewarded", "in 96 each (median)", {"visits": visits(*[0] * 8)}, {}),
        ("never_rewarded", "in 32 each (median). A first one takes as likely as not 98 samples more", {}, SOLVED),
        ("never_rewarded", "hints gave 0 right ones in 48 rollouts.", {"hinted": np.array([[48], [0]])}, {}),
        ("never_rewarded", "hints make them likelier", {}, {"hinted": np.array([[48], [0]])}),
        ("rising", MORE_STEPS, {"visits": RISES}, {"visits": FLAT}),
        ("rising", "no rise is sure enough to say how much more it takes", {"visits": FLAT}, {"visits": RISES}),
        ("beyond", "another model solves it at 0.500", TWO, {}),
        ("guessable", "it took 64 rollouts, which a run without it saves", {"visits": FLAT}, {}),
        ("random_label", "it took 64 rollouts, which a run without it saves", {"visits": FLAT}, {}),
        ("wrong_label", "expected to be wrong", TWO, {}),
        ("wrong_label", "expected to be wrong", TWO, {**TWO, "independent": False}),
        ("wrong_label", "the list for review proposes 1 answer", {**ANSWER, "texts": {"a": "7"}}, ANSWER),
        ("wrong_label", "One model cannot tell", {}, TWO),
        ("wrong_label", "would be learned", {**TWO, "kin": np.array([0.8])}, {"kin": np.array([0.8])}),
    ],
)
def test_a_number_is_said_of_its_data_and_of_no_other(cause, says, known, null):
    assert says in said(cause, **known)
    assert says not in said(cause, **null)


def test_what_was_solved_for_a_while_is_said_with_its_best_stretch():
    assert "was solved for a while (best stretch 0.938 on average)" in said("forgotten", **SOLVED)


@pytest.mark.parametrize("cause", CAUSES)
def test_no_remedy_of_a_cause_that_is_said_of_no_prompt(cause):
    assert said(cause, **SOLVED)
    assert not said(cause, said_of="undecided", **SOLVED)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_way_that_a_title_names_has_its_command(cause):
    (cure,) = given(cause, **SOLVED)
    ways = [shlex.split(way) for way in cure.command.format(run="'my run'", list="'a list'").split("\n")]
    for verb in ("hints", "models", "sft-set", "oversample_replay"):
        named = {"hints": "hints", "models": "another base", "sft-set": "fine-tune", "oversample_replay": "oversample"}
        assert (named[verb] in cure.title) == any(verb in way for way in ways), verb
    for program, *words in ways:
        if program == "openrlhf-unlearn":
            check_verb(words)
            assert "my run" in words
