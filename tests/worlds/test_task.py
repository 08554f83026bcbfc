"""The task's rules against an independent reading of them, and what the draws must keep."""

import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.grading.formats import load_format
from openrlhf_unlearn.worlds.task import (
    CAUSE_OF,
    CAUSES,
    GROUP_OF_CAUSE,
    LETTERS,
    LETTERS_OF,
    N_METHODS,
    SETTINGS,
    draw_digits,
    draw_prompts,
    full_answer,
    is_correct,
    make_problem,
    rules,
    texts,
    warm_up_texts,
)

digits = st.integers(0, 10**6).map(lambda seed: draw_digits(random.Random(seed)))
seeds = st.integers(0, 30)
letters = st.sampled_from(sorted(CAUSE_OF))
# Each skill's two digits, counted from 1, written out by hand.
SKILLS = {"O": "12", "P": "13", "Q": "14", "R": "21", "S": "23", "T": "24"} | {
    "U": "31", "V": "32", "W": "34", "X": "41", "Y": "42", "Z": "43"
}  # fmt: skip


def by_hand(method, digits) -> str:
    return "".join(str(digits[int(place) - 1]) for skill in method for place in SKILLS[skill])


@given(letters, digits, seeds)
def test_a_letter_has_24_methods_whose_answers_all_differ(letter, digits, seed):
    methods = rules(seed)[letter].methods
    assert len(methods) == (4 if letter == "L" else 24) and len(set(methods)) == len(methods)
    assert len({by_hand(method, digits) for method in methods}) == len(methods)
    for method in methods:
        four = texts(method, digits)
        assert len(set(four)) == 4 and all(is_correct(text, by_hand(method, digits)) for text in four)
        assert len({text.replace("=", "#") for text in four}) == len({len(text) for text in four}) == 1


@given(st.sampled_from("ABCDEFG"), seeds)
def test_one_method_is_right_for_a_letter_that_can_be_learned(letter, seed):
    rule, rng = rules(seed)[letter], random.Random(seed)
    assert rule.right in rule.methods
    for _ in range(20):
        drawn = draw_digits(rng)
        assert make_problem(letter, drawn, seed).label == by_hand(rule.right, drawn)


@given(seeds)
def test_what_can_be_learned_is_put_together_of_skills_that_are_known(seed):
    known = [rules(seed)[letter].right for letter in "ABC"]
    new = [rules(seed)[letter].right for letter in "DEFG"]
    assert len(set(new)) == 4 and not set(new) & set(known)
    assert all(first in {f for f, _ in known} and second in {s for _, s in known} for first, second in new)


@pytest.mark.parametrize("letter", ["H", "J", "L"])
def test_no_method_of_the_others_is_right_more_often_than_chance(letter):
    rng, rule = random.Random(0), rules(3)[letter]
    n = 200 * len(rule.methods)
    problems = [make_problem(letter, draw_digits(rng), 3) for _ in range(n)]
    counts = Counter(problem.method for problem in problems)
    assert set(counts) == set(rule.methods) and min(counts.values()) > 130 and max(counts.values()) < 280
    assert [p.label for p in problems] == [make_problem(letter, p.digits, 3).label for p in problems]
    number = int("".join(map(str, problems[0].digits)))
    if letter == "H":
        assert problems[0].method == rule.methods[number % 73 % 24]
    else:
        assert [p.label for p in problems] != [make_problem(letter, p.digits, 4).label for p in problems]


@given(st.sampled_from([("N", None), ("A", "wrong_label"), ("D", "wrong_label")]), digits, seeds)
def test_never_and_wrong_label_ask_for_what_no_method_gives_even_with_a_slip(kind, digits, seed):
    problem = make_problem(kind[0], digits, seed, kind[1])
    for method in rules(seed)[kind[0]].methods:
        assert sum(a != b for a, b in zip(problem.label, by_hand(method, digits), strict=True)) > 1
    if kind[1]:
        assert problem.method == rules(seed)[kind[0]].right


@given(digits, seeds)
def test_the_verifier_fails_on_a_right_answer_and_a_lenient_one_does_not(digits, seed):
    problem = make_problem("M", digits, seed)
    text = texts(rules(seed)["M"].right, digits)[0]
    assert not is_correct(text, problem.label)
    for name, verdict in {"auto": "wrong", "boxed": "wrong", "lenient": "correct"}.items():
        form = load_format(name)
        assert form.gradable(problem.label) and form.grade([text], [problem.label])[0].verdict == verdict


@given(letters, digits, seeds)
def test_what_counts_as_correct(letter, digits, seed):
    problem = make_problem(letter, digits, seed)
    right = full_answer(problem)
    assert is_correct(right, problem.label)
    assert not is_correct(right.removesuffix("<eos>"), problem.label)  # cut off
    assert not is_correct(right + "1", problem.label)
    assert not is_correct(full_answer(problem, problem.label + "0"), problem.label)


@given(st.sampled_from(sorted(SETTINGS)), st.integers(0, 50))
def test_prompts_have_their_counts_and_each_letter_its_share(name, seed):
    setting = SETTINGS[name]
    train, heldout = draw_prompts(setting, seed)
    for split in (train, heldout):
        assert {cause: sum(p.cause == cause for p in split) for cause in CAUSES} == setting.prompts
        assert all(p.group == GROUP_OF_CAUSE[p.cause] for p in split)
        for cause in CAUSES:
            shares = [sum(p.letter == letter and p.cause == cause for p in split) for letter in LETTERS_OF[cause]]
            assert sum(shares) == setting.prompts[cause] and max(shares) - min(shares) <= 1
    prompts = [p.prompt for p in (*train, *heldout)]
    assert len(set(prompts)) == len(prompts)


def test_the_warm_up_keeps_prompts_back_and_shows_every_hard_letter_alike():
    setting, rng = SETTINGS["standard"], random.Random(0)
    everything = list(islice(warm_up_texts(setting, 0, set(), rng), 33_600))
    held_back = {prompt for prompt, _ in everything[:10_000]}
    pairs = islice(warm_up_texts(setting, 0, held_back, random.Random(1)), 10_000)
    assert held_back.isdisjoint(prompt for prompt, _ in pairs)

    of_letter = Counter(prompt[0] for prompt, _ in everything)
    assert set(of_letter.values()) == {2400}
    of_method = Counter((prompt[0], text[0], text[4]) for prompt, text in everything if prompt[0] in "DEFGHIJKN")
    assert len(of_method) == 9 * N_METHODS and set(of_method.values()) == {100}
    right = Counter()
    for prompt, text in everything:
        problem = make_problem(prompt[0], tuple(map(int, prompt[1:-1])), 0)
        right[CAUSE_OF[prompt[0]]] += is_correct(text, problem.label)
    shares = {cause: right[cause] / sum(of_letter[letter] for letter in LETTERS[cause]) for cause in LETTERS}
    expected = {"known": 0.62, "learnable": 1 / 24, "beyond": 1 / 24, "random": 1 / 24, "guessable": 0.25}
    assert shares == pytest.approx({**expected, "verifier": 0, "never": 0}, abs=0.03)
    assert right["learnable"] > 0 and right["never"] == right["verifier"] == 0
