"""JSON lines that a flag of the plugin names."""

import json
from pathlib import Path

from openrlhf_unlearn.errors import UserError


def json_rows(flag: str, path: str, keys: tuple[str, ...], verb: str) -> list[dict]:
    """All rows, each with these keys. Raises UserError that names the flag and the verb that writes such files."""
    try:
        rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"{flag} {path} cannot be read as JSON lines ({error})") from None
    if not rows or not all(isinstance(row, dict) and row.keys() >= set(keys) for row in rows):
        raise UserError(f"{flag} {path}: rows need {' and '.join(keys)}; `openrlhf-unlearn {verb}` writes them")
    return rows
