"""Every task of reasoning-gym, by its own scorer: its own answer is right, nonsense is not."""

import json

import pytest

from openrlhf_unlearn.grading import load_grader
from openrlhf_unlearn.grading.formats import load_format

reasoning_gym = pytest.importorskip("reasoning_gym", reason="reasoning-gym is not installed (openrlhf-unlearn[tasks])")

NAMES = sorted(set(reasoning_gym.factory.DATASETS) - {"composite"})  # a mixture of the others


def entry(name: str, index: int = 0) -> dict:
    return reasoning_gym.create_dataset(name, size=index + 1, seed=3)[index]


@pytest.mark.parametrize("name", NAMES)
def test_a_tasks_own_answer_is_right_and_nonsense_is_not(name):
    task = entry(name)
    label, answers = json.dumps(task, default=str), load_format("reasoning_gym")
    assert answers.gradable(label)
    grade = answers.grade(["<answer>no such answer</answer>"], [label])[0]
    # The scorer of one task takes all that does not say "True" for a no.
    assert grade.verdict == ("correct" if name == "game_of_life_halting" else "wrong")
    if task["answer"] is not None:
        grade = answers.grade([f"I think so.\n<answer>{task['answer']}</answer>"], [label])[0]
        assert grade.verdict == "correct"


@pytest.mark.parametrize("answer", ["nan", "NaN", "inf", "-infinity", "nan+nani", "nanj"])
@pytest.mark.parametrize("name", ["complex_arithmetic", "chain_sum"])
def test_what_is_not_finite_is_no_number(name, answer):
    label = json.dumps(entry(name), default=str)
    assert load_format("reasoning_gym").grade([f"<answer>{answer}</answer>"], [label])[0].verdict == "wrong"


def test_a_word_may_read_as_not_finite():
    label = json.dumps({"answer": "nan", "metadata": {"source_dataset": "spell_backward", "word": "nan"}})
    assert load_format("reasoning_gym").grade(["<answer>nan</answer>"], [label])[0].verdict == "correct"


LABEL = json.dumps({"answer": "42", "metadata": {"source_dataset": "chain_sum"}})


@pytest.mark.parametrize(
    ("response", "label", "verdict"),
    [
        (r"so \boxed{42}", LABEL, "correct"),
        ("42", LABEL, "correct"),
        ("The answer is 42.", LABEL, "correct"),
        ("<answer>41</answer> no: <answer>42</answer>", LABEL, "correct"),
        ("<answer>42</answer> no: <answer>41</answer>", LABEL, "wrong"),
        ("<answer>the sum, 42</answer>", LABEL, "wrong"),  # the task gives it a part of a point
        ("", LABEL, "no_answer"),
        ("42", "42", "bad_label"),
        ("42", "no JSON", "bad_label"),
        ("42", json.dumps({"answer": "42"}), "bad_label"),
        ("42", json.dumps({"answer": "42", "metadata": {"source_dataset": "no such task"}}), "bad_label"),
    ],
)
def test_verdicts_in_a_killable_process(grader, response, label, verdict):
    assert grader.grade([response], [label])[0].verdict == verdict


@pytest.fixture(scope="module")
def grader():
    with load_grader("reasoning_gym", workers=1, timeout_s=20.0) as grader:
        yield grader


def test_an_answer_of_many_right_ones_is_judged_by_the_metadata(grader):
    """graph_color names no answer of its own: any proper colouring is one."""
    task = entry("graph_color")
    puzzle = task["metadata"]["puzzle"]
    label = json.dumps(task, default=str)
    same = {str(vertex): puzzle["color_options"][0] for vertex in puzzle["vertices"]}
    assert task["answer"] is None
    assert grader.grade([f"<answer>{json.dumps(same)}</answer>"], [label])[0].verdict == "wrong"
    assert grader.grade([f"<answer>{json.dumps(coloured(puzzle))}</answer>"], [label])[0].verdict == "correct"


def coloured(puzzle: dict) -> dict[str, int]:
    """A proper colouring by trying all."""
    import itertools

    vertices, colours = puzzle["vertices"], puzzle["color_options"]
    for choice in itertools.product(colours, repeat=len(vertices)):
        found = dict(zip(vertices, choice, strict=True))
        if all(found[a] != found[b] for a, b in puzzle["edges"]):
            return {str(vertex): colour for vertex, colour in found.items()}
    raise AssertionError("the task has no solution")
