"""CSV that a spreadsheet shows and never computes: an apostrophe goes in front of what it would take for a formula."""

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from openrlhf_unlearn.errors import UserError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_rows(lines: TextIO, rows: Iterable[Sequence[Any]]) -> None:
    csv.writer(lines).writerows([cell(value) for value in row] for row in rows)


def check_unfilled(path: Path, columns: Sequence[str], empty: Callable[[dict[str, str]], bool]) -> None:
    """Raise UserError where `path` is there and is anything but a sheet of `columns` whose rows are all `empty`: a new
    sheet in its place would lose what a person wrote."""
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            sheet = csv.DictReader(lines, restval="")
            if tuple(sheet.fieldnames or ()) == tuple(columns) and all(map(empty, sheet)):
                return
    except (ValueError, csv.Error):  # no UTF-8, or no CSV
        pass
    raise UserError(f"{path} is there already and holds what a person may have written; choose another file")


def cell(value: Any) -> Any:
    """Numbers, text that is a number among them, stay as they are."""
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
