r"""JSON out of models' text, LaTeX and all."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.interventions.problems import Problem, Problems
from openrlhf_unlearn.interventions.structured import parse
from tests.interventions.real import families

LATEX = r"$\frac{1}{2} \times \theta \neq \nu, \right) \begin{pmatrix} 1 \\ 2 \end{pmatrix} \{x\} \rho \bar u$"
FILES = ["similar_problems_learnable", "similar_problems_unlearnable", "subproblems_unlearnable"]


def one(question: str) -> str:
    return json.dumps({"question": question, "solution": "s", "answer": "a"})


@pytest.mark.parametrize("wrap", ["{}", "```json\n{}\n```", "<think>{{1}}</think> Here: {} Done.", "\n{}\n"])
def test_words_around_json_do_not_matter(wrap):
    assert parse(wrap.format(one(LATEX)), Problem).question == LATEX


def test_latex_that_was_not_escaped_is_read_as_it_was_meant():
    unescaped = one(LATEX).replace("\\\\", "\\")
    assert parse(unescaped, Problem).question == LATEX


def test_an_escaped_text_keeps_its_line_ends():
    for text in ("First:\nnu is 3", "a\nu = \\sin x", r"\\nu over\\\\lines"):
        assert parse(one(text), Problem).question == text


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_whatever_is_escaped_right_comes_back_as_it_was(text):
    assert parse(one(text), Problem).question == text


@pytest.mark.parametrize(
    "text, problem",
    [("", "not JSON"), ("[]", "valid dictionary"), ('{"question": 1}', "question"), ('{"a": {', "not JSON")],
)
def test_what_is_wrong_is_said(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse(text, Problem)


@pytest.mark.parametrize("name", FILES)
def test_real_problems_come_back_as_they_were_written(name):
    if not families(name):
        pytest.skip(f"{name}.json is not there: set OPENRLHF_UNLEARN_DATA to the folder of real problems")
    counts = Counter()
    for rows in families(name).values():
        written = [{key: str(row[key]) for key in ("question", "solution", "answer")} for row in rows]
        text = json.dumps({"problems": written})
        counts["whole"] += len(rows)
        counts.update(f"escaped {key}" for key in came_back(text, written))
        counts.update(f"unescaped {key}" for key in came_back(text.replace("\\\\", "\\"), written))
    assert counts["escaped question"] == counts["escaped answer"] == counts["whole"]
    assert counts["escaped solution"] >= 0.99 * counts["whole"]  # a few were written with broken commands, mended here
    assert min(counts["unescaped question"], counts["unescaped answer"]) >= 0.98 * counts["whole"], counts


def came_back(text: str, written: list[dict]) -> list[str]:
    """The fields that `parse` reads as they were written, one entry for each problem of the text."""
    try:
        read = [problem.model_dump() for problem in parse(text, Problems).problems]
    except ValueError:
        return []
    return [key for a, b in zip(read, written, strict=True) for key in a if a[key] == b[key]]
