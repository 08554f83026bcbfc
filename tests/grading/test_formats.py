import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading import check_labels, load_grader
from openrlhf_unlearn.grading.labels import label_table


@pytest.mark.parametrize(
    ("answer_format", "response", "label", "verdict"),
    [
        ("boxed", "The answer is 7.", "7", "no_answer"),
        ("boxed", r"\boxed{7}", "7", "correct"),
        ("last_number", "first 5, then 7 apples", "7", "correct"),
        ("last_number", "first 7, then 5 apples", "7", "wrong"),
        ("last_number", "none", "7", "no_answer"),
        ("choice", r"A looks good, but \boxed{\text{(B)}}", "B", "correct"),
        ("choice", "The answer is (C).", "(B)", "wrong"),
        ("choice", "The answer is (C).", "twelve", "bad_label"),
        ("text", r"\boxed{ Friday }", "friday", "correct"),
        ("text", r"\boxed{\text{on Friday}}", "friday", "wrong"),
        ("auto", r"\boxed{\text{(B) } 12}", "B", "correct"),
        ("lenient", "it came to about 0.33333 then, so we stop", "1/3", "correct"),
    ],
)
def test_each_format(answer_format, response, label, verdict):
    with load_grader(answer_format, workers=1, timeout_s=20.0) as grader:
        assert grader.grade([response], [label])[0].verdict == verdict


MINE = """
import time
from openrlhf_unlearn.grading import Grade

class Mine:
    def grade(self, responses, labels):
        if "sleep" in responses[0]:
            time.sleep(60)
        if "raise" in responses[0]:
            raise RuntimeError("no")
        same = responses[0][::-1] == labels[0]
        return [Grade("correct" if same else "wrong", float(same), responses[0])]
"""


def test_a_users_own_grader_has_the_same_protection(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    with load_grader(f"{path}:Mine", workers=1, timeout_s=1.0) as grader:
        grades = grader.grade(["abc", "sleep", "raise", "abc"], ["cba", "x", "x", "abc"])
    assert [grade.verdict for grade in grades] == ["correct", "timeout", "error", "wrong"]


def test_a_users_file_that_does_not_load_is_named(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import nowhere_to_be_found")
    with pytest.raises(UserError, match="nowhere_to_be_found"):
        load_grader(f"{path}:Mine", workers=2)
    with load_grader(f"{path}:Mine", workers=1, warm=False) as grader, pytest.raises(UserError, match="nowhere_to_be"):
        grader.grade(["a"], ["b"])


def test_labels_that_cannot_be_graded_are_found_by_row():
    labels = ["1", r"\frac12", "", "x^2", "   ", None, r"\frac{1}{", "Friday", "11 a.m.", float("nan"), "9^{9^{9^9}}"]
    rows = check_labels(labels)
    assert {2, 4, 5, 6, 9} <= set(rows) <= {2, 4, 5, 6, 9, 10}
    assert check_labels(["A", "(B)", "twelve"], "choice") == [2]
    assert r"     row 7  '\\frac{1}{'" in label_table(labels, rows)
    assert r"    line 9  '\\frac{1}{'" in label_table(labels, rows, [f"line {n + 3}" for n in range(len(labels))])


def test_plain_integers_need_no_process(monkeypatch):
    monkeypatch.setattr("openrlhf_unlearn.grading.labels.MathGrader", None)
    assert check_labels(["1", "-20", " 3 "]) == []
