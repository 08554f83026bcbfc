r"""`openrlhf-unlearn grade FILE.jsonl`: the verdict on each response, how its answer was found and what decided.

    openrlhf-unlearn grade answers.jsonl [--answer-format boxed | my_grader.py:Mine] [--output verdicts.jsonl]

A line is {"response": "so \\boxed{1/2}", "label": "0.5"}; .json, .csv and .parquet are read, too. With a third column
"expected" ("correct", "not", or a verdict) the rows graded otherwise are shown, with the false positives (wrong
answers graded correct) and false negatives (right ones not) counted. The reason says where the answer was found and by
which rule it is the label's value; docs/grading.md lists them all.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

from tqdm import tqdm

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.grade import VERDICTS, Grade
from openrlhf_unlearn.grading.options import TIMEOUT_S, WORKERS
from openrlhf_unlearn.grading.pool import load_grader
from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.store.run_dir import atomic_path

CHUNK, WIDTH = 256, 44
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class GradeOptions(Options):
    """The file, its columns and the grader."""

    file: str = option("rows with a response and a label, and perhaps expected", positional=True, metavar="FILE")
    answer_format: str = option("a format's name or path.py:Name", "auto")
    response_key: str = option("the responses' column", "response")
    label_key: str = option("the labels' column", "label")
    expected_key: str = option("the column with what is right, if there is one", "expected")
    output: str | None = option("write the rows with verdict, reward, answer and reason as JSONL", None, metavar="FILE")
    workers: int = WORKERS
    timeout_s: float = TIMEOUT_S
    show: int = option("rows of the table that is printed", 40)


OPTIONS = GradeOptions


def run(options: GradeOptions) -> None:
    rows = read_rows(options)
    grades = grade_rows(rows, options)
    if options.output:
        write_rows(Path(options.output), rows, grades)
    print(report(rows, grades, options))


def read_rows(options: GradeOptions) -> list[Row]:
    """The file's rows. Raises UserError for what lacks a response, a label or a known expectation."""
    from openrlhf_unlearn.grading.data_check import rows_of

    path = Path(options.file)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    rows: list[Row] = []
    for where, found in rows_of(path):
        row = cast(Row, found) if isinstance(found, dict) else {}  # a line of JSON may hold anything
        missing = [key for key in (options.response_key, options.label_key) if key not in row]
        if missing:
            raise UserError(f"{path}: {where} has no {missing[0]!r}; name the column with --response-key, --label-key")
        expected = row.get(options.expected_key)
        if expected is not None and expected not in ("not", *VERDICTS):
            choices = ", ".join(("not", *VERDICTS))
            raise UserError(f"{path}: {where} expects {expected!r}; give one of {choices}")
        rows.append(row)
    if not rows:
        raise UserError(f"{path} has no rows; give at least one response with its label")
    return rows


def grade_rows(rows: list[Row], options: GradeOptions) -> list[Grade]:
    grades: list[Grade] = []
    with load_grader(options.answer_format, workers=options.workers, timeout_s=options.timeout_s) as grader:
        for start in tqdm(range(0, len(rows), CHUNK), "grading", leave=False, disable=None):
            chunk = rows[start : start + CHUNK]
            grades += grader.grade(
                [row[options.response_key] for row in chunk], [row[options.label_key] for row in chunk]
            )
    return grades


def write_rows(path: Path, rows: list[Row], grades: list[Grade]) -> None:
    with atomic_path(path) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as lines:
        for row, grade in zip(rows, grades, strict=True):
            lines.write(json.dumps({**row, **vars(grade)}, ensure_ascii=False, default=str) + "\n")


def as_expected(grade: Grade, expected: str | None) -> bool:
    """Whether a verdict is the expected one; "not" is any but correct, and None expects nothing."""
    if expected == "not":
        return grade.verdict != "correct"
    return expected is None or grade.verdict == expected


def report(rows: list[Row], grades: list[Grade], options: GradeOptions) -> str:
    """The table of verdicts, of those that were not expected where something is, and the counts."""
    expected = [row.get(options.expected_key) for row in rows]
    known = any(value is not None for value in expected)
    shown = [i for i, grade in enumerate(grades) if not known or not as_expected(grade, expected[i])]
    lines: list[str] = []
    if shown:
        lines.append(f"{'row':>6}  {'verdict':<10} {'answer':<{WIDTH}} {'label':<{WIDTH // 2}} reason")
    for i in shown[: options.show]:
        answer, label = _short(grades[i].answer or "-", WIDTH), _short(str(rows[i][options.label_key]), WIDTH // 2)
        wanted = f"  (expected: {expected[i]})" if known else ""
        lines.append(
            f"{i + 1:>6}  {grades[i].verdict:<10} {answer:<{WIDTH}} {label:<{WIDTH // 2}} {grades[i].reason}{wanted}"
        )
    if len(shown) > options.show:
        lines.append(f"{'...':>6}  and {len(shown) - options.show} more; --output writes them all")
    counts = Counter(grade.verdict for grade in grades)
    lines.append(f"{len(rows)} responses: " + ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v]))
    if known:
        lines.append(errors(grades, expected))
    return "\n".join(lines)


def errors(grades: list[Grade], expected: list[str | None]) -> str:
    pairs = [(grade, value) for grade, value in zip(grades, expected, strict=True) if value is not None]
    right = [grade.verdict == "correct" for grade, value in pairs if value == "correct"]
    wrong = [grade.verdict == "correct" for grade, value in pairs if value != "correct"]
    other = sum(not as_expected(grade, value) for grade, value in pairs if value not in ("correct", "not"))
    positives = f"false positives: {sum(wrong)} of {len(wrong)} not correct"
    negatives = f"false negatives: {len(right) - sum(right)} of {len(right)} correct"
    return f"{positives}; {negatives}" + (f"; {other} verdicts of another kind than expected" if other else "")


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
