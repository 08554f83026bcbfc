import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.grading.formats import load_format
from openrlhf_unlearn.worlds.tasks import Task, parse, rows_of, without_shared_words

pytest.importorskip("reasoning_gym", reason="reasoning-gym is not installed (openrlhf-unlearn[tasks])")
SUMS = Task("sums", "chain_sum", {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1})


def test_rows_are_different_graded_by_their_own_scorer_and_the_same_for_a_seed():
    rows = rows_of(SUMS, 50, seed=3)
    assert len({row["prompt"] for row in rows}) == 50
    assert rows == rows_of(SUMS, 50, seed=3) != rows_of(SUMS, 50, seed=4)
    answers, labels = load_format("reasoning_gym"), [row["label"] for row in rows]
    right = [f"<answer>{json.loads(label)['answer']}</answer>" for label in labels]
    assert {grade.verdict for grade in answers.grade(right, labels)} == {"correct"}
    assert {row["datasource"] for row in rows} == {"sums"}


def test_shots_are_solved_examples_and_the_first_line_is_the_answer():
    row = rows_of(SUMS, 5, seed=0, shots=2)[0]
    first, second, last = row["prompt"].split("\n")
    for line in (first, second):
        question, _, answer = line.partition(" = ")
        assert eval(question) == int(answer)
    answer = str(eval(last.removesuffix(" =")))
    answers = load_format("reasoning_gym")
    verdicts = {" " + answer + "\n9 + 9 = 18": "correct", f" 1{answer}\n{answer}": "wrong", " \n": "no_answer"}
    for response, verdict in verdicts.items():
        assert answers.grade([response], [row["label"]])[0].verdict == verdict


def test_a_task_with_fewer_different_questions_says_so(capsys):
    assert len(rows_of(SUMS, 1000, seed=0)) < 300
    assert "has only" in capsys.readouterr().out


@given(st.lists(st.text("ab1 ", min_size=1, max_size=6), min_size=2, max_size=5, unique=True))
def test_shared_words_go_and_no_number_is_split(middles):
    texts = [f"What is {middle} + 7? Answer." for middle in middles]
    cores = without_shared_words(texts)
    assert len(set(cores)) == len(cores) or any(middle.strip() != middle for middle in middles)
    for core, text in zip(cores, texts, strict=True):
        assert core in text
    assert without_shared_words(["same", "same"]) == ["same", "same"]
    assert without_shared_words(["sum: 12", "sum: 13"]) == ["12", "13"]


def test_options_are_read():
    assert parse('w=calendar_arithmetic:tasks=["a","b"],year=2022') == Task(
        "w", "calendar_arithmetic", {"tasks": ("a", "b"), "year": 2022}
    )
    assert parse("gcd") == Task("gcd", "gcd", {})
    with pytest.raises(UsageError, match="'chain_sum'"):
        parse("chain_sums")


def test_the_verb_writes_whole_files(tmp_path, capsys):
    out = tmp_path / "d.jsonl"
    assert cli.main(["tasks", "gcd", "small=gcd:max_value=50", "--size", "3", "--output", str(out)]) == 0
    assert [json.loads(line)["datasource"] for line in out.read_text().splitlines()] == ["gcd"] * 3 + ["small"] * 3
    assert cli.main(["tasks", "--list"]) == 0
    assert "chain_sum" in capsys.readouterr().out


def test_seeds_side_by_side_give_different_questions():
    large = Task("gcd", "gcd", {"max_value": 10**6})
    one, two = ({row["prompt"] for row in rows_of(large, 200, seed)} for seed in (1, 2))
    assert not one & two


def test_an_equal_question_has_an_equal_label_wherever_it_was_drawn():
    small = Task("sums", "chain_sum", {"min_terms": 2, "max_terms": 2, "max_digits": 1, "min_digits": 1})
    one, two = ({row["prompt"]: row["label"] for row in rows_of(small, 150, seed)} for seed in (1, 2))
    assert (both := one.keys() & two.keys())
    assert all(one[prompt] == two[prompt] for prompt in both)


@pytest.mark.parametrize(
    ("task", "warning"),
    [
        ("coin_flip", "'0' earns full marks"),
        ("gsm_symbolic", "the answer with the other sign earns full marks on 10 of 10"),
        ("game_of_life_halting", "'1' earns full marks"),
        ("gcd", ""),
    ],
)
def test_wrong_answers_that_a_scorer_takes_are_warned_of(task, warning, capsys):
    rows_of(Task(task, task), 10, seed=1)
    said = capsys.readouterr().out
    assert f"warning: {task}: {warning}" in said if warning else "warning" not in said


def test_a_task_without_answers_cannot_be_shown_solved():
    with pytest.raises(UserError, match="no answer of its own"):
        rows_of(Task("graph_color", "graph_color"), 5, seed=0, shots=2)
