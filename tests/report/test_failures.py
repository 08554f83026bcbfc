"""Kinds of failure: each with data under which it is said, and with data under which it is not."""

import numpy as np
import pytest

from openrlhf_unlearn.report.failures import consensus, failures, guesses, other_unit
from openrlhf_unlearn.report.rollouts import Sample
from openrlhf_unlearn.report.turns import readable, shorten, turns_of
from openrlhf_unlearn.report.wording import wordings


def kinds(samples, answers=None, labels=("7",), limit=None) -> dict[str, tuple[int, list[int]]]:
    found = failures(samples, answers or [""] * len(samples), labels, limit)
    return {kind.name: (kind.samples, kind.rows.tolist()) for kind in found.kinds}


def test_cut_off_is_said_only_where_the_limit_is_known():
    samples = [Sample(0, "so we", "no_answer", n_tokens=64), Sample(0, "so", "no_answer", n_tokens=63)]
    assert kinds(samples, limit=64) == {"Cut off": (1, [0]), "No answer": (1, [0])}
    assert kinds(samples) == {"No answer": (2, [0])}
    assert kinds([samples[0]._replace(n_tokens=None)], limit=64) == {"No answer": (1, [0])}


def test_a_refusal_has_no_answer():
    assert kinds([Sample(0, "I'm sorry, I cannot help with that.", "no_answer")]) == {"Refused": (1, [0])}
    imported = Sample(0, "I'm sorry, I cannot help with that.", "wrong")
    assert kinds([imported]) == {"Refused": (1, [0])}, "others' rollouts have a reward and no verdict"
    answered = Sample(0, "I'm sorry for the slip: it is 8.", "wrong")
    assert kinds([answered], ["8"]) == {}
    assert kinds([Sample(0, "I cannot see why not: x goes on", "no_answer")]) == {"No answer": (1, [0])}


def test_what_the_grader_could_not_do_is_its_own():
    assert kinds([Sample(0, "8", verdict) for verdict in ("timeout", "error", "bad_label")]) == {"Not graded": (3, [0])}


@pytest.mark.parametrize(
    "answer, label, other",
    [
        ("12 km", "12 m", True),
        (r"12\,\text{km}", r"12\text{ m}", True),
        ("12 m/s", "12 km/h", True),
        ("12 m", "12 meters", False),
        ("12", "12 m", False),
        ("13 km", "12 m", False),
        ("12 apples", "12 pears", False),
        ("x", "", False),
    ],
)
def test_a_wrong_unit_is_the_same_number_with_another_unit(answer, label, other):
    assert other_unit(answer, label) == other


def test_most_samples_must_agree():
    def found(answers: list[str], verdict: str = "wrong") -> dict:
        return consensus([Sample(0, "", verdict)] * len(answers), answers)

    assert found(["7"] * 6 + ["8"] * 4) == {0: "7"}
    assert not found(["7"] * 5 + ["8"] * 5) and not found(["7"] * 3) and not found(["7"] * 10, "correct")
    assert kinds([Sample(0, "", "wrong")] * 10, ["8"] * 6 + list("123") + [""]) == {"Same wrong answer": (6, [0])}


def test_a_guess_hits_no_more_often_than_other_prompts_answers_would():
    """Prompt 0's label is what the model says everywhere; prompt 1's is said nowhere else, nor is a third one's."""
    labels = ["5", "17", "3"]
    samples = [Sample(0, "", "correct", True)] * 2 + [Sample(0, "", "wrong")] * 14
    samples += [Sample(1, "", "correct", True)] * 2 + [Sample(1, "", "wrong")] * 14 + [Sample(2, "", "wrong")] * 16
    answers = ["5"] * 2 + ["1"] * 14 + ["17"] * 2 + (["5"] * 3 + ["2"] * 11) + (["5"] * 2 + ["4"] * 14)
    assert guesses(samples, answers, labels) == {0}
    assert guesses(samples[:16], answers[:16], labels) == set(), "one prompt alone tells nothing"
    assert guesses(samples[::4], answers[::4], labels) == set(), "too few samples"


def test_groups_of_words_have_words_of_their_own():
    rng = np.random.default_rng(0)
    vocabulary = ["alpha", "beta", "gamma", "delta", "omega", "sigma"]
    noise = [" ".join(rng.choice(vocabulary, 8)) for _ in range(60)]
    divided = [f"the remainder modulo eleven {text}" for text in noise[:20]]
    found = wordings(divided + noise[20:])
    assert [members for _, members in found] == [list(range(20))] and {"remainder", "modulo"} <= set(found[0][0])
    assert wordings(noise) == [] and wordings(["all the same"] * 60) == [] and wordings(["1 2 3"] * 60) == []
    assert wordings(divided[:5]) == []


def test_without_samples_nothing_is_said():
    assert failures([], [], ["7"], 64) is None
    right = failures([Sample(0, "7", "correct", True)] * 4, ["7"] * 4, ["7"], 64)
    assert right.kinds == [] and right.wrong == 0


def test_conversations_are_turns_and_other_texts_are_not():
    talk = (
        '[{"role": "assistant", "content": "2+2?", "tool_calls": [{"name": "add"}]}, {"role": "tool", "content": "4"}]'
    )
    assert turns_of(talk) == [["assistant", '2+2?\n{"name": "add"}'], ["tool", "4"]]
    assert readable(talk).startswith("assistant: 2+2?") and readable("plain") == "plain"
    for text in ("[1, 2]", "[{}]", '[{"a": 1}]', "[{", "[{broken}]", "x", ""):
        assert turns_of(text) is None, text
    assert shorten([["a", "x" * 500], ["b", "y"]], 200) == ([["a", "x" * 100], ["b", "y"]], 400)
    assert shorten([["a", "x"]], 200) == ([["a", "x"]], 0)
