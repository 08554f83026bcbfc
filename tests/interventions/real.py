"""Real augmented problems, by their originals, from the folder that tests/grading/real.py names."""

import json
from collections import defaultdict

from tests.grading.real import FOLDER


def families(name: str) -> dict[str, list[dict]]:
    """Original's id → its problems in order, of one file; empty where the data is not there."""
    found = defaultdict(list)
    path = FOLDER / f"{name}.json"
    for row in json.loads(path.read_text()) if path.exists() else []:
        found[row["id"].rpartition("_")[0]].append(row)
    return dict(found)
