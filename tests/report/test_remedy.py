"""What `compare` says of a remedy, and the nulls under which it says nothing."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.labels.posterior import Posterior
from openrlhf_unlearn.report.remedy import as_numbers, at_least, cosine_rows, recorded, solved_rows, verdicts
from openrlhf_unlearn.stats.paired import paired_difference
from openrlhf_unlearn.store.summary import Summary

TAU = 0.1
ONE_RUN = "in this one repeated run; how much seeds differ is not known."


def row(after, luck=None, repeat=None, group="unlearnable"):
    after = np.array(after, float)
    repeats = np.atleast_2d(np.array(repeat, float)) if repeat is not None else []
    luck = None if luck is None else np.array(luck, float)
    (found,) = solved_rows(np.array([group] * len(after)), after, luck, repeats, TAU)
    (said,) = verdicts([found])
    return found, said.text


@given(chances=st.lists(st.floats(0, 1), max_size=6), number=st.integers(0, 7))
def test_the_chance_of_so_many_is_the_sum_over_all_outcomes(chances, number):
    total = 0.0
    for outcome in itertools.product([0, 1], repeat=len(chances)):
        p = np.prod([c if hit else 1 - c for c, hit in zip(chances, outcome, strict=True)])
        total += p * (sum(outcome) >= number)
    assert at_least(np.array(chances), number) == pytest.approx(total, abs=1e-9)


def test_a_taught_group_is_said_only_against_a_repeated_run():
    after, repeat, luck = [0.5] * 20 + [0.0] * 10, [0.5] * 3 + [0.0] * 27, [0.05] * 30
    found, text = row(after, luck, repeat)
    assert (found.solved, found.repeat, found.prompts) == (20, 3, 30)
    assert "a difference in the share solved of +0.567" in text and text.endswith(": more than " + ONE_RUN)
    _, text = row(after, luck)
    assert text.endswith("luck in sampling does not explain it, another seed may (--repeat tells).")


@pytest.mark.parametrize(
    ("after", "luck", "repeat", "says"),
    [
        (
            [0.5] * 3 + [0.0] * 27,
            [0.1] * 30,
            [0.0] * 27 + [0.5] * 3,
            ": no difference is shown, the interval includes zero.",
        ),  # as many, other prompts
        ([0.5] * 3 + [0.0] * 27, [0.1] * 30, [0.5] * 3 + [0.0] * 27, "the interval includes zero."),  # the same ones
        ([0.5] * 4 + [0.0] * 26, [0.1] * 30, [0.0] * 30, "the interval includes zero."),  # four may differ by chance
        ([0.5], [0.1], [0.0], "the interval includes zero."),
        ([0.5] * 3 + [0.0] * 27, [0.1] * 30, None, "nothing more can be said."),  # what luck gives
        ([0.5] * 20, None, None, "nothing more can be said."),  # adaptive samples: luck is not known
    ],
)
def test_the_nulls_under_which_no_remedy_is_said_to_teach(after, luck, repeat, says):
    _, text = row(after, luck, repeat)
    assert text.endswith(says)


@pytest.mark.parametrize(
    ("group", "after", "repeat", "says"),
    [
        ("unlearnable", [0.5] * 20, [0.0] * 20, "+1.000 (+0.735 to +1.000): more than " + ONE_RUN),
        ("unlearnable", [0.0] * 20, [0.5] * 20, "−1.000 (−1.000 to −0.735): fewer than " + ONE_RUN),
        ("learnable", [0.0] * 20, [0.5] * 20, "lost of +1.000 (+0.735 to +1.000): more lost than " + ONE_RUN),
        ("learnable", [0.5] * 20, [0.0] * 20, "lost of −1.000 (−1.000 to −0.735): fewer lost than " + ONE_RUN),
    ],
)
def test_a_difference_that_is_the_same_for_every_prompt_is_one(group, after, repeat, says):
    assert row(after, [0.5] * 20, repeat, group)[1].endswith(says)


@pytest.mark.parametrize("prompts", [5, 12, 30, 100])
@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.1, 0.02), (0.4, 0.4), (0.95, 0.05)])
def test_the_interval_holds_the_true_difference_of_paired_shares(prompts, shares):
    """Prompts of which some are solved in any run, so that the two runs' prompts go together."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        always = rng.random(prompts) < 0.2
        first, second = (always | (rng.random(prompts) < share) for share in shares)
        low, high = paired_difference(first, second)[1]
        held += low <= 0.8 * (shares[0] - shares[1]) <= high
    assert held / 400 >= 0.93


def test_seeds_that_learn_whole_skills_are_never_taken_for_a_remedy():
    """Identical runs of which each learns a skill of ten prompts or not: the interval over prompts often excludes zero,
    and what is said then is of the one repeated run alone."""
    rng, apart = np.random.default_rng(0), 0
    for _ in range(200):
        first, second = (np.repeat(rng.random(10) < 0.15, 10) * 0.5 for _ in range(2))
        _, text = row(first, [0.0] * 100, second)
        shown = "includes zero" not in text
        apart += shown
        assert not shown or text.endswith(ONE_RUN)
    assert apart > 60


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_of_several_repeated_runs_another_seed_is_seldom_called_a_remedy(repeats):
    """The same runs: what they differ in is now known, and one that was only another seed lies within it."""
    rng, apart = np.random.default_rng(repeats), 0
    for _ in range(400):
        first, *others = (np.repeat(rng.random(10) < 0.3, 10) * 0.5 for _ in range(1 + repeats))
        _, text = row(first, [0.0] * 100, others)
        assert text.endswith(("the interval includes zero.", "than another seed gives."))
        apart += "includes zero" not in text
    assert apart / 400 <= 0.06


@pytest.mark.parametrize("group", ["unlearnable", "learnable"])
def test_more_than_any_of_several_repeated_runs_is_said(group):
    repeats = [[0.5] * n + [0.0] * (40 - n) for n in (3, 5, 4, 2)]
    found, text = row([0.5] * 30 + [0.0] * 10, [0.05] * 40, repeats, group)
    assert (found.repeat, found.repeats) == (3.5, [3, 5, 4, 2]) and found.difference == pytest.approx(26.5 / 40)
    says = {
        "unlearnable": "4 repeated runs 2 to 5, a difference in the share solved of +0.662 (+0.49",
        "learnable": "4 repeated runs 35 to 38, a difference in the share lost of −0.662 (−0.750",
    }
    ends = {"unlearnable": ": more than another seed gives.", "learnable": ": fewer lost than another seed gives."}
    assert says[group] in text and text.endswith(ends[group])
    _, text = row([0.5] * 6 + [0.0] * 34, [0.05] * 40, repeats, group)
    assert text.endswith("the interval includes zero.")


def test_repeated_runs_that_happen_to_be_alike_do_not_make_a_difference_certain():
    _, text = row([0.5] * 7 + [0.0] * 33, None, [[0.5] * 4 + [0.0] * 36] * 3)
    assert text.endswith("the interval includes zero.")
    found, _ = row([0.5] * 40, None, [[0.0] * 40] * 2)
    assert found.difference == 1 and found.difference_interval[0] < 0.8, "two runs say little of a third"


def test_luck_explains_what_its_fit_may_be_off_by():
    """Of 8 samples a third more are found solved than the fitted chances say, as one model's split samples show."""
    luck = [0.1] * 400
    assert row([0.5] * 54 + [0.0] * 346, luck)[1].endswith("nothing more can be said.")
    assert "luck in sampling does not explain it" in row([0.5] * 90 + [0.0] * 310, luck)[1]


def test_prompts_that_the_run_after_did_not_evaluate_are_counted():
    found, text = row([0.5, 0.0, np.nan, np.nan, np.nan])
    assert found.not_evaluated == 3
    assert text.startswith("Of 2 unlearnable prompts of the run before the run after solves 1 (3 more it has not eval")
    assert row([0.5], group="no_reward")[1].startswith("Of 1 prompt that was never rewarded in the run before the run")


def test_no_difference_has_no_sign_and_what_is_alike_is_said_once():
    assert "difference in the share lost of +0.000 (" in row([0.5] * 20, None, [0.5] * 20, "learnable")[1]
    assert "; 2 repeated runs 0 each, a difference" in row([0.0] * 20, None, [[0.0] * 20] * 2)[1]


def test_a_repeated_run_without_these_prompts_is_none():
    found, text = row([0.5] * 20, None, [np.nan] * 20)
    assert found.repeat is None and text.endswith("nothing more can be said.")


def test_a_row_of_an_earlier_version_without_an_interval_has_no_word_on_the_difference():
    found, _ = row([0.5] * 20, None, [0.0] * 20)
    (said,) = verdicts([replace(found, difference_interval=None)])
    assert said.text.endswith("; a repeated run 0.")


def test_learnable_prompts_lost_are_counted_against_the_same_nulls():
    found, text = row([0.0] * 12 + [0.5] * 8, [0.9] * 20, [0.5] * 20, group="learnable")
    assert found.prompts - found.solved == 12
    assert text.startswith("Of 20 learnable prompts of the run before the run after lost 12, where a second evaluation")
    assert "find about 2;" in text and "a repeated run 0" in text and text.endswith(": more lost than " + ONE_RUN)


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ("learnable", "lost 0; a repeated run 6 of 20 that it evaluated, a difference in the share lost of −0.300"),
        (
            "unlearnable",
            "solves 40; a repeated run 14 of 20 that it evaluated, a difference in the share solved of +0.3",
        ),
    ],
)
def test_prompts_that_the_repeated_run_did_not_evaluate_are_neither_lost_nor_solved_by_it(group, says):
    found, text = row([0.5] * 40, None, [0.5] * 14 + [0.0] * 6 + [np.nan] * 20, group)
    assert found.repeat_prompts == 20 and says in text


def test_the_report_has_the_sentences_of_the_last_comparison_and_none_without_one():
    assert recorded(Summary()) == recorded(Summary({"classify": {}})) == (None, [])
    found, text = row([0.5] * 20 + [0.0] * 10, [0.05] * 30, [0.0] * 30)
    others = {"runs": ["a", "b", "c"], "tau": TAU, "cosines": {}, "spent": []}
    kept, said = recorded(Summary({"compare": {"solved": as_numbers([found]), "pass_rates": [], **others}}))
    assert [sentence.text for sentence in said] == [text]
    assert kept == others | {"solved": as_numbers([found]), "verdicts": [sentence.as_dict() for sentence in said]}


def test_prompts_that_only_one_run_evaluated_pair_with_nothing():
    groups = np.array(["unlearnable", "unlearnable", "no_reward"])
    (found,) = solved_rows(groups, np.array([0.5, 0.0, np.nan]), None, [np.array([np.nan, 0.0, 0.0])], TAU)
    assert (found.prompts, found.solved, found.repeat, found.difference) == (2, 1, 0, 0.0)
    assert cosine_rows(groups, np.array([0.1, np.nan, 0.2]), np.array([0.3, 0.4, np.nan])) == [
        {"group": "unlearnable", "prompts": 1, "before": 0.1, "after": 0.3, "difference": pytest.approx(0.2)}
        | {"difference_interval": None}
    ]


def test_a_second_evaluation_finds_as_many_solved_as_luck_expects():
    """Selected by their first samples, then sampled again: regression to the mean, which no remedy made."""
    rng, found, expected, unlikely = np.random.default_rng(0), 0, 0.0, 0
    for _ in range(6):
        rates = np.where(rng.random(300) < 0.5, rng.beta(1, 30, 300), rng.beta(4, 4, 300))
        initial, first, second = (rng.binomial(32, p) for p in (np.minimum(rates, 0.03), rates, rates))
        n = np.full(300, 32)
        luck = Posterior((n, initial), (n[None], first[None])).solved_again(TAU, 32)
        mine = first / 32 < TAU
        solved = (second[mine] / 32 >= TAU).sum()
        found, expected = found + solved, expected + luck[mine].sum()
        unlikely += at_least(luck[mine], solved) < 0.025
    assert 0.75 < found / expected < 1.33
    assert unlikely <= 1
