"""Labels that nothing or little can match are named, with what to do; plain ones are not."""

import pytest

from openrlhf_unlearn.grading.labelling import note, value_of
from openrlhf_unlearn.grading.labels import doubtful_labels, label_table


@pytest.mark.parametrize(
    "label", ["7", r"\frac12", "x=5", "(1,2)", "no solution", "B", r"3 \nmid n", "1,2", "12 cm", r"\{1,2\}"]
)
def test_a_plain_label_is_not_doubted(label):
    assert note(label) is None


@pytest.mark.parametrize(
    "label", ["", "   ", r"\frac{1}{", r"\boxed{}", "proof", "See solution.", "{'answer': 5}", "{", "nan"]
)
def test_a_label_that_nothing_can_match_is_not_gradable(label):
    assert not note(label).gradable


@pytest.mark.parametrize(
    ("label", "value", "what"),
    [
        ("2+3=<<2+3=5>>5\n#### 5", "5", "a whole solution"),
        ("We add.\nTherefore, the answer is 5.", "5", "a whole solution"),
        ("['5']", "5", "a list as text"),
        ('["1", "2"]', "1, 2", "a list as text"),
        ("The sum is 5", "5", "a sentence"),
        (
            "There are infinitely many primes of that form",
            "There are infinitely many primes of that form",
            "a sentence",
        ),
        ("(B) 12", "(B) 12", "a letter with its value"),
        (r"\textbf{(B)}\ 12", r"\textbf{(B)}\ 12", "a letter with its value"),
    ],
)
def test_a_label_that_is_more_than_a_value_says_how_it_is_read(label, value, what):
    assert value_of(label) == value
    assert (note(label).what, note(label).gradable) == (what, True)


def test_doubtful_labels_are_a_table_with_advice():
    labels = ["7", "The sum is 5", None, "(B) 12"]
    rows = doubtful_labels(labels)
    assert rows == [1, 3]
    assert "keep only that" in label_table(labels, rows)
    assert doubtful_labels(["1", "x", "no"]) == []
