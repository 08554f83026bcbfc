from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.grading.extract.anchors import _ANCHOR, _anchors

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
