"""The task's rules against an independent reading of them, and what the draws must keep."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.microworld.task import (
    GROUP_OF,
    GROUPS,
    LETTERS,
    SETTINGS,
    draw_prompts,
    draw_warm_up,
    full_answer,
    is_admissible,
    is_correct,
    lazy_answer,
    make_problem,
)

digits = st.tuples(*[st.integers(1, 9)] * 5)
settings = st.sampled_from(list(SETTINGS.values()))
STARTS = {"A": 0, "B": 7, "C": 3, "D": 5, "F": 2}


@given(st.sampled_from("ABCDF"), digits, settings)
def test_easy_and_learnable_ask_for_the_last_running_sum(letter, digits, setting):
    problem = make_problem(letter, digits, setting, seed=0)
    expected = [(STARTS[letter] + sum(digits[: i + 1])) % 10 for i in range(5)]
    assert problem.running_sums == expected
    assert problem.label == str(expected[-1])
    assert problem.prompt == letter + "".join(map(str, digits)) + "="


@given(digits, settings)
def test_h_asks_for_the_product_modulo_a_prime(digits, setting):
    label = make_problem("H", digits, setting, seed=0).label
    assert int(label) == math.prod(digits) % setting.modulus
    assert 1 <= int(label) < setting.modulus


@given(digits, settings)
def test_v_asks_for_a_number_over_a_thousand(digits, setting):
    assert make_problem("V", digits, setting, seed=0).label == str(1000 + sum(digits))


def test_w_is_fixed_by_digits_and_seed_and_spread_evenly():
    setting, rng = SETTINGS["standard"], random.Random(0)
    draws = [tuple(rng.randint(1, 9) for _ in range(5)) for _ in range(200 * (setting.modulus - 1))]
    labels = [make_problem("W", d, setting, seed=3).label for d in draws]
    assert labels == [make_problem("W", d, setting, seed=3).label for d in draws]
    assert labels != [make_problem("W", d, setting, seed=4).label for d in draws]
    counts = [labels.count(str(i)) for i in range(1, setting.modulus)]
    assert sum(counts) == len(labels)
    assert min(counts) > 130 and max(counts) < 280  # 200 each, five standard deviations are 70


@given(st.sampled_from(sorted(GROUP_OF)), digits, settings, st.integers(0, 9))
def test_what_counts_as_correct(letter, digits, setting, seed):
    problem = make_problem(letter, digits, setting, seed)
    right = full_answer(problem, problem.label)
    assert is_correct(right, problem.label)
    assert not is_correct(right.removesuffix("<eos>"), problem.label)  # cut off
    assert not is_correct(right + "1", problem.label)
    assert not is_correct(full_answer(problem, problem.label + "0"), problem.label)
    if is_admissible(problem):
        assert not is_correct(lazy_answer(problem), problem.label)
    if letter in "HW" and is_admissible(problem):
        assert not is_correct(full_answer(problem, str(problem.running_sums[-1])), problem.label)


@given(st.sampled_from(sorted(SETTINGS)), st.integers(0, 50))
def test_prompts_have_their_counts_and_no_short_cut(name, seed):
    setting = SETTINGS[name]
    train, heldout = draw_prompts(setting, seed)
    for split in (train, heldout):
        assert {g: sum(p.group == g for p in split) for g in GROUPS} == setting.prompts
        assert all(is_admissible(p) for p in split)
        for group, letters in LETTERS.items():
            shares = [sum(p.letter == letter for p in split) for letter in letters]
            assert sum(shares) == setting.prompts[group] and max(shares) - min(shares) <= 1
    prompts = [p.prompt for p in (*train, *heldout)]
    assert len(set(prompts)) == len(prompts)


def test_warm_up_keeps_prompts_back_and_has_the_settings_shares():
    setting = SETTINGS["standard"]
    rng = random.Random(0)
    everything = draw_warm_up(20_000, setting, 0, set(), rng)
    held_back = {prompt for prompt, _ in everything[:10_000]}
    pairs = draw_warm_up(20_000, setting, 0, held_back, random.Random(1))
    assert held_back.isdisjoint(prompt for prompt, _ in pairs)

    for group in GROUPS:
        answers = [answer for prompt, answer in everything if GROUP_OF[prompt[0]] == group]
        assert abs(len(answers) / 20_000 - setting.warm_up_share[group]) < 0.02
        full = sum(answer.startswith("#") for answer in answers) / len(answers)
        assert abs(full - setting.full_share[group]) < 0.08


def test_no_reward_is_never_answered_rightly_in_the_warm_up():
    setting = SETTINGS["steady"]
    pairs = [p for p in draw_warm_up(20_000, setting, 0, set(), random.Random(0)) if p[0][0] == "V"]
    assert pairs
    for prompt, answer in pairs:
        label = make_problem("V", tuple(map(int, prompt[1:6])), setting, 0).label
        assert not is_correct(answer, label)
