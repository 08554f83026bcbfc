import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.grading.extract.anchors import _ANCHOR, _CHOICE_ENDS, _CHOSEN, _anchors

PIECES = ["answer", "Answers", "ANS", "this answer", "final result", "correct option", "Right choice", "best", "fin"]
PIECES += [
    "ri",
    " ",
    "\n",
    ".",
    ":",
    " is ",
    " are",
    "=",
    "####",
    "##",
    "答案",
    "最终答案是",
    "故选A",
    "选",
    "é",
    "the ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_where_an_anchor_may_begin_leaves_none_out(text):
    assert [found.span() for found in _anchors(text)] == [found.span() for found in _ANCHOR.finditer(text)]


CHOICES = ["option ", "choice ", "B", "(C)", "d", " is ", "the ", "correct", "right", "best", " answer", " choice"]
CHOICES += ["so ", " option", "I choose ", "I would pick ", "therefore ", ".", "!", " ", "\n", ",", "(", ")", "12", "é"]


@given(st.lists(st.sampled_from(CHOICES), max_size=12).map("".join))
def test_the_quick_no_refuses_no_choice(text):
    assert _CHOICE_ENDS.search(text[-16:]) or not _CHOSEN.search(text[-200:])


@pytest.mark.parametrize("choice", ["Option B is correct.", "I choose (C)!", "so I pick D", "B is the best answer"])
@pytest.mark.parametrize("space", ["", " \n", " " * 9])
def test_choices_pass_it(choice, space):
    assert _CHOSEN.search(choice + space) and _CHOICE_ENDS.search((choice + space)[-16:])
