r"""`openrlhf-unlearn grade FILE.jsonl`: the verdict on each response, how its answer was found and what decided.

    openrlhf-unlearn grade answers.jsonl [--answer-format boxed | my_grader.py:Mine] [--output verdicts.jsonl]

A line is {"response": "so \\boxed{1/2}", "label": "0.5"}; .json, .csv and .parquet are read, too. With a third column
"expected" ("correct", "not", or a verdict) the rows graded otherwise are shown, with the false positives (wrong
answers graded correct) and false negatives (right ones not) counted. The reason says where the answer was found and by
which rule it is the label's value; docs/grading.md lists them all.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.grade import VERDICTS, Grade
from openrlhf_unlearn.grading.pool import load_grader

CHUNK, WIDTH = 256, 44


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="rows with a response and a label, and perhaps expected")
    add("--answer-format", default="auto", help="a format's name or path.py:Name")
    add("--response-key", default="response", help="the responses' column")
    add("--label-key", default="label", help="the labels' column")
    add("--expected-key", default="expected", help="the column with what is right, if there is one")
    add("--output", metavar="FILE", help="write the rows with verdict, reward, answer and reason as JSONL")
    add("--workers", type=int, default=2, help="processes that grade")
    add("--timeout-s", type=float, default=5.0, help="deadline of an answer")
    add("--show", type=int, default=40, help="rows of the table that is printed")


def run(args: argparse.Namespace) -> None:
    rows = read_rows(args)
    grades = grade_rows(rows, args)
    if args.output:
        write_rows(Path(args.output), rows, grades)
    print(report(rows, grades, args))


def read_rows(args: argparse.Namespace) -> list[dict]:
    """The file's rows. Raises UserError for what lacks a response, a label or a known expectation."""
    from openrlhf_unlearn.grading.data_check import rows_of

    path = Path(args.file)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    rows = []
    for where, row in rows_of(path):
        missing = [k for k in (args.response_key, args.label_key) if not isinstance(row, dict) or k not in row]
        if missing:
            raise UserError(f"{path}: {where} has no {missing[0]!r}; name the column with --response-key, --label-key")
        expected = row.get(args.expected_key)
        if expected is not None and expected not in ("not", *VERDICTS):
            choices = ", ".join(("not", *VERDICTS))
            raise UserError(f"{path}: {where} expects {expected!r}; give one of {choices}")
        rows.append(row)
    if not rows:
        raise UserError(f"{path} has no rows; give at least one response with its label")
    return rows


def grade_rows(rows: list[dict], args: argparse.Namespace) -> list[Grade]:
    grades: list[Grade] = []
    with load_grader(args.answer_format, workers=args.workers, timeout_s=args.timeout_s) as grader:
        for start in tqdm(range(0, len(rows), CHUNK), "grading", leave=False, disable=None):
            chunk = rows[start : start + CHUNK]
            grades += grader.grade([row[args.response_key] for row in chunk], [row[args.label_key] for row in chunk])
    return grades


def write_rows(path: Path, rows: list[dict], grades: list[Grade]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as lines:
        for row, grade in zip(rows, grades, strict=True):
            lines.write(json.dumps({**row, **vars(grade)}, ensure_ascii=False, default=str) + "\n")
    partial.replace(path)  # whole, or not there


def as_expected(grade: Grade, expected: str | None) -> bool:
    """Whether a verdict is the expected one; "not" is any but correct, and None expects nothing."""
    if expected == "not":
        return grade.verdict != "correct"
    return expected is None or grade.verdict == expected


def report(rows: list[dict], grades: list[Grade], args: argparse.Namespace) -> str:
    """The table of verdicts, of those that were not expected where something is, and the counts."""
    expected = [row.get(args.expected_key) for row in rows]
    known = any(value is not None for value in expected)
    shown = [i for i, grade in enumerate(grades) if not known or not as_expected(grade, expected[i])]
    lines = []
    if shown:
        lines.append(f"{'row':>6}  {'verdict':<10} {'answer':<{WIDTH}} {'label':<{WIDTH // 2}} reason")
    for i in shown[: args.show]:
        answer, label = _short(grades[i].answer or "-", WIDTH), _short(str(rows[i][args.label_key]), WIDTH // 2)
        wanted = f"  (expected: {expected[i]})" if known else ""
        lines.append(
            f"{i + 1:>6}  {grades[i].verdict:<10} {answer:<{WIDTH}} {label:<{WIDTH // 2}} {grades[i].reason}{wanted}"
        )
    if len(shown) > args.show:
        lines.append(f"{'...':>6}  and {len(shown) - args.show} more; --output writes them all")
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
