"""An answer that is wrong by one digit, sign, operator or bracket is graded wrong.

`python benchmarks/mutations.py` grades 20,000 of them, of which 0.999 must be wrong.
"""

import pytest

from openrlhf_unlearn.grading import MathGrader
from tests.grading import real
from tests.grading.mutations import KINDS, changed, is_wrong, sample
from tests.grading.pairs import PAIRS


def test_what_a_mutant_is():
    assert ("digit", "13") in changed("12") and ("sign", "-12") in changed("$12$")
    assert ("bracket", "[0,1]") in changed("[0,1)") and ("operator", "x-1") in changed("x+1")
    assert not is_wrong(r"\frac{0}{6}", r"\frac{0}{5}", "digit"), "nothing by six is nothing by five"
    assert not is_wrong("1+x", "(1+x)", "bracket"), "brackets around all of it say nothing"
    assert is_wrong("2x+1", "2(x+1)", "bracket")


@pytest.mark.parametrize("texts", ["formulas", "real"])
def test_mutants_are_graded_wrong(texts):
    labels = real.answers() if texts == "real" else sorted({label for _, label, *_ in PAIRS})
    if not labels:
        pytest.skip(f"no real problems in {real.FOLDER}; set OPENRLHF_UNLEARN_DATA")
    wrong = sample(labels, 60)
    assert {kind for kind, *_ in wrong} == set(KINDS)
    with MathGrader(2, timeout_s=20) as grader:
        grades = grader.grade([rf"\boxed{{{answer}}}" for _, answer, _ in wrong], [label for *_, label in wrong])
    passed = [item for item, grade in zip(wrong, grades, strict=True) if grade.verdict == "correct"]
    assert passed == []
