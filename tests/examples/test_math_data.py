import json
import subprocess
import sys

import pytest

from tests.integration.stack import ROOT

PROBLEMS = [
    {"problem": "One half?", "level": "Level 1", "solution": r"It is $\boxed{\frac{1}{2}}$."},
    {"problem": "Two?", "level": "Level 5", "solution": r"\boxed{2}"},
    {"problem": "Nothing boxed", "level": "Level 2", "solution": "3"},
    {"problem": "No level", "level": "Level ?", "solution": r"\boxed{4}"},
]


def make(source, out):
    command = [sys.executable, ROOT / "examples" / "math_data.py", "--data", source, "--out", out]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "math.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    return path


def test_levels_are_chosen_and_labels_are_what_the_last_box_holds(source, tmp_path):
    done = make(source, tmp_path / "out.jsonl")
    assert "1 problems; 1 without a boxed answer left out" in done.stdout, done.stderr
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert row["label"] == r"\frac{1}{2}" and row["level"] == 1 and row["prompt"].startswith("One half?")


def test_missing_columns_and_files_are_one_line(tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text('{"question": "?"}\n')
    for source, said in ((other, "no column level, problem, solution"), (tmp_path / "none.jsonl", "give a local file")):
        done = make(source, tmp_path / "out.jsonl")
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
        assert not (tmp_path / "out.jsonl").exists()


def test_at_most_keeps_as_many_and_the_same_ones(tmp_path):
    source = tmp_path / "many.jsonl"
    rows = [{"problem": f"{i}?", "solution": f"\\boxed{{{i}}}", "level": "Level 1"} for i in range(30)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = []
    for name in ("a", "b"):
        words = ["--data", source, "--at-most", "5", "--out", tmp_path / name]
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / "math_data.py", *words], capture_output=True, text=True
        )
        assert "5 problems" in done.stdout, done.stderr
        kept.append((tmp_path / name).read_text())
    assert kept[0] == kept[1] and len(set(kept[0].splitlines())) == 5
