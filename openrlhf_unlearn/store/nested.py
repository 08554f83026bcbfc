"""Columns by their names, where a dot goes into a nested object: `reward_model.ground_truth`."""

from typing import Any

from openrlhf_unlearn.store.files import Json


def get(row: Json, name: str | None) -> Any:
    """`row[name]`, where a dot goes into a nested object or list; None where it is not there."""
    if isinstance(row, dict) and name in row:
        return row[name]
    if not name:
        return None
    head, dot, rest = name.partition(".")
    if isinstance(row, list) and head.isdigit() and int(head) < len(row):
        return get(row[int(head)], rest) if dot else row[int(head)]
    return get(row[head], rest) if dot and isinstance(row, dict) and head in row else None


def has(row: Json, name: str) -> bool:
    """Whether the row has the column, be its value null."""
    head, _, last = name.rpartition(".")
    parent = get(row, head) if head else row
    return (isinstance(row, dict) and name in row) or (isinstance(parent, dict) and last in parent)
