"""`openrlhf-unlearn grade`: each verdict with its reason, and what was not expected."""

import json

import pytest

from openrlhf_unlearn.cli import main

ROWS = [
    {"response": r"so \boxed{1/2}", "label": "0.5", "expected": "correct", "id": "half"},
    {"response": r"so \boxed{3 or 4}", "label": "3", "expected": "not"},
    {"response": "The answer is 12 cm.", "label": 12, "expected": "not"},
    {"response": "Let me think about this a little more", "label": "12", "expected": "no_answer"},
    {"response": "7", "label": "", "expected": "correct"},
]


@pytest.fixture
def answers(tmp_path):
    def write(rows):
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return write


def test_verdicts_have_the_reason_and_the_rule_that_decided(answers, tmp_path, capsys):
    output = tmp_path / "out" / "verdicts.jsonl"
    plain = [{key: value for key, value in row.items() if key != "expected"} for row in ROWS]
    assert main(["grade", answers(plain), "--output", str(output), "--timeout-s", "20"]) == 0
    shown = capsys.readouterr().out
    assert "box; no rule takes 2 values for a number" in shown
    assert "5 responses: 2 correct, 1 wrong, 1 no_answer, 1 bad_label" in shown
    assert "false positives" not in shown
    written = [json.loads(line) for line in output.read_text().splitlines()]
    assert written[0] == {
        "response": r"so \boxed{1/2}",
        "label": "0.5",
        "id": "half",
        "verdict": "correct",
        "reward": 1.0,
        "answer": "1/2",
        "reason": "box; number",
    }
    assert written[2]["reason"] == "anchor; unit"


def test_what_was_not_expected_is_counted_and_the_exit_code_stays(answers, capsys):
    assert main(["grade", answers(ROWS), "--timeout-s", "20"]) == 0
    shown = capsys.readouterr().out
    assert "false positives: 1 of 3 not correct; false negatives: 1 of 2 correct" in shown
    assert "(expected: not)" in shown
    assert "3 or 4" not in shown  # as expected


@pytest.mark.parametrize(
    ("rows", "culprit"),
    [
        ([{"response": "7"}], "line 1 has no 'label'"),
        ([{"response": "7", "label": "7", "expected": "yes"}], "line 1 expects 'yes'"),
        ([], "has no rows"),
    ],
)
def test_a_file_that_cannot_be_graded_is_one_line(answers, rows, culprit, capsys):
    assert main(["grade", answers(rows)]) == 1
    assert culprit in capsys.readouterr().err
