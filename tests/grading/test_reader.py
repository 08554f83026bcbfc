"""Normalise and classify, step by step: nothing that changes a value is dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.grading.classify import shape, shapes
from openrlhf_unlearn.grading.formula.clean import cleaned
from openrlhf_unlearn.grading.formula.nodes import Unreadable, writing_of
from openrlhf_unlearn.grading.formula.reader import nodes
from openrlhf_unlearn.grading.formula.units import unit_of


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("½", r"\frac{1}{2}"),
        ("x²", "x^{2}"),
        ("７．５", "7.5"),
        (r"0.1\overline{6}", r"\frac{1}{6}"),
        ("0.333...", r"\frac{1}{3}"),
    ],
)
def test_unicode_and_repeating_decimals(text, clean):
    assert cleaned(text) == clean


@pytest.mark.parametrize("text", [r"\frac{1}{", "{", "}", r"\frac{3}", "3^", r"\begin{pmatrix}1", r"\left(1\)"])
def test_what_is_unfinished_is_unreadable(text):
    with pytest.raises(Unreadable):
        nodes(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("5", shapes.Quantity),
        ("5 cm", shapes.Quantity),
        ("3 is not the answer", shapes.Words),
        ("7 7", shapes.Words),
        ("x=5", shapes.Relation),
        ("1<x<2", shapes.Relation),
        ("3 or 4", shapes.Many),
        (r"\pm 3", shapes.Many),
        ("(1,2)", shapes.Row),
        ("[0,1)", shapes.Row),
        (r"(0,1)\cup(2,3)", shapes.Joined),
        (r"\{x\mid x>3\}", shapes.Builder),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", shapes.Matrix),
        ("3:4", shapes.Ratio),
        ("101_2", shapes.Based),
        (r"3\pmod 7", shapes.Residue),
        ("no", shapes.Words),
    ],
)
def test_kinds(text, kind):
    assert type(shape(text)) is kind


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        (["cm"], "cm"),
        (["square", "meters"], "m^2"),
        (["km", "/", "h"], "km/h"),
        (["kph"], "km/h"),
        (["m", "·", "s", "^-2"], "m/s^2"),
        (["N", "·", "m"], "N·m"),
        (["m", "N"], "N·m"),
        (["m", "/"], None),
        (["miles", "per", "hour"], "mi/h"),
        (["five-dollar", "bills"], ""),
        (["students"], ""),
        (["or"], None),
        (["is", "wrong"], None),
        (["remainder"], None),
        (["dozens"], None),
        (["i"], None),
        (["pi"], None),
        ([], None),
    ],
)
def test_units(words, unit):
    assert unit_of(words) == unit


@given(st.text(alphabet="0123456789abcxyz+-*/^=<>(){}[],.:;|! \\$%'\"", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        found = nodes(text)
    except Unreadable:
        return
    assert isinstance(writing_of(found), str)


@given(
    st.lists(st.integers(0, 10**9).map(str), min_size=2, max_size=4), st.sampled_from([" or ", ", ", " and ", ";", " "])
)
def test_several_numbers_are_never_one(numbers, joint):
    """No way to write several values is read as one, but digits grouped by three."""
    what = shape(joint.join(numbers))
    if joint == " " and all(len(n) == 3 for n in numbers[1:]) and len(numbers[0]) <= 3:
        return
    assert not isinstance(what, shapes.Quantity)
