"""Random answers and labels: a verdict for each, no crash, no hang, extraction in linear time.

OPENRLHF_UNLEARN_FUZZ_S=600 pytest tests/grading/test_fuzz.py -k long        fuzz for ten minutes instead of seconds
"""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openrlhf_unlearn.grading import VERDICTS, MathGrader
from openrlhf_unlearn.grading.extract import boxed_answer, find_answer, last_choice, last_number

SECONDS = float(os.environ.get("OPENRLHF_UNLEARN_FUZZ_S", "0"))
PIECES = r"""
0 1 7 12 x y n i e + - * / ^ _ = < > ( ) [ ] { } | , . ; : ! ? \ $ $$ % & # ~ ' A B and or is answer: cm ９ <eos>
</think>
\boxed{ \frac{ \sqrt{ \text{ \left( \right) \pi \infty \cup \in \le \ge \pm \cdot \times ^\circ \( \) \[ \] \{ \} \% \$
\begin{pmatrix} \end{pmatrix} \log \sin \sum_{ \int \binom{ \overline{ ####
"""
MORE = ["\n", " ", "the answer is ", "\x00"]
formula = st.lists(st.sampled_from(PIECES.split() + MORE), max_size=25).map("".join)
response = st.one_of(formula, formula.map(lambda text: rf"\boxed{{{text}}}"), st.text(max_size=60))
pairs = st.lists(
    st.tuples(response, st.one_of(formula, st.sampled_from(["1/2", "x+1", "(0,1)", "7"]))), min_size=1, max_size=8
)
common = dict(deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def strict():
    with MathGrader(workers=2, timeout_s=1.0, memory_mb=512) as grader:
        yield grader


def check_pool(grader, batch) -> None:
    fair = (r"\boxed{\frac{3}{6}}", "1/2")
    grades = grader.grade(*zip(*batch, fair, strict=True))
    assert {grade.verdict for grade in grades} <= set(VERDICTS)
    assert all(grade.reward == float(grade.verdict == "correct") for grade in grades)
    assert grades[-1].verdict == "correct"


def check_extraction(text: str) -> None:
    for find in (find_answer, boxed_answer, last_number, last_choice):
        found = find(text)
        assert found is None or isinstance(found, str) and found


@settings(max_examples=10, **common)
@given(batch=pairs)
def test_any_answer_gets_a_verdict_and_harms_no_other(strict, batch):
    check_pool(strict, batch)


@settings(max_examples=300, **common)
@given(text=st.one_of(response, st.text()))
def test_extraction_never_raises(text):
    check_extraction(text)


@pytest.mark.slow
@pytest.mark.skipif(not SECONDS, reason="set OPENRLHF_UNLEARN_FUZZ_S to the seconds of a long fuzz")
def test_a_long_fuzz(strict, capsys):
    batches = answers = 0

    @settings(max_examples=50, **common)
    @given(batch=pairs)
    def fuzz(batch):
        nonlocal batches, answers
        check_pool(strict, batch)
        check_extraction(batch[0][0] + batch[0][1])
        batches, answers = batches + 1, answers + len(batch)

    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        fuzz()
    with capsys.disabled():
        print(f"{answers} random answers in {batches} batches, {SECONDS:.0f} s", flush=True)
