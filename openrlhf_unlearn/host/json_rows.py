"""JSON lines that a flag of the plugin names."""

from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.data_check import flag_rows


def json_rows(flag: str, path: str, keys: tuple[str, ...], verb: str) -> list[dict]:
    """All rows, each with these keys. Raises UserError that names the flag and the verb that writes such files."""
    rows = flag_rows(flag, Path(path))
    if not rows or not all(isinstance(row, dict) and row.keys() >= set(keys) for row in rows):
        raise UserError(f"{flag} {path}: rows need {' and '.join(keys)}; `openrlhf-unlearn {verb}` writes them")
    return rows
