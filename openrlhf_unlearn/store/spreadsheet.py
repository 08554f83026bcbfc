"""CSV that a spreadsheet shows and never computes: an apostrophe goes in front of what it would take for a formula."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_rows(lines: TextIO, rows: Iterable[Sequence[Any]]) -> None:
    csv.writer(lines).writerows([cell(value) for value in row] for row in rows)


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
