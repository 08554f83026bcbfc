"""What is expected while training runs, and when nothing is said."""

import pytest

from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.report.outlook import outlook, sentence
from tests.report.worlds import evaluate, prompts, start, train

ARGS = {"train": {"num_episodes": 12}}


def running(path, steps: int = 4, args=ARGS):
    made = prompts(8)
    run = start(path, made, args=args)
    evaluate(run, made, "initial")
    train(run, made, steps)
    return run, made


def test_a_third_into_training_the_hard_prompts_are_counted(tmp_path):
    found = outlook(Material([running(tmp_path / "run")[0]]))
    assert found["done"] == pytest.approx(1 / 3) and set(found["groups"]) == {"easy", "hard"}
    assert found["groups"]["easy"]["expected"] < 0.5 < found["groups"]["hard"]["expected"]
    template, numbers = sentence(found)
    assert "hard prompts" in Say(template, numbers, "answer").text
    assert numbers["prompts"] == found["groups"]["hard"]["prompts"]


@pytest.mark.parametrize(
    ("group", "n", "says"),
    [("hard", 1, "of 1 hard prompt is expected"), ("hard", 2, "of 2 hard prompts are"), ("all", 1, "of 1 prompt is")],
)
def test_the_sentence_is_of_one_prompt_or_of_several(group, n, says):
    found = {"done": 0.5, "groups": {group: {"prompts": n, "expected": 0.76, "sure": 0}}}
    assert f"{0.76 * n:.2g} {says}" in Say(*sentence(found), "answer").text


def test_nothing_is_said_at_the_first_visit_without_a_length_or_after_the_end(tmp_path):
    assert outlook(Material([running(tmp_path / "first", 1)[0]])) is None
    assert outlook(Material([running(tmp_path / "endless", args={})[0]])) is None
    assert outlook(Material([running(tmp_path / "trained", 12)[0]])) is None
    run, made = running(tmp_path / "done")
    evaluate(run, made, "final")
    assert outlook(Material([run])) is None and sentence(None) is None
