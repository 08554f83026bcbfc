"""JSON-lines files that OpenRLHF reads, and the mixtures of augmented data (paper, section 5.3)."""

import json
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import write_jsonl

MIXTURES = {
    "original_similar": ("originals", "similar"),
    "original_subproblems": ("originals", "subproblems"),
    "original_similar_subproblems": ("originals", "similar", "subproblems"),
}


def read_jsonl(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_originals(folder: Path, originals: list[dict]) -> None:
    """Write originals.jsonl. Raises UserError where the folder has others, made for different prompts."""
    path = folder / "originals.jsonl"
    if path.exists() and read_jsonl(path) != originals:
        raise UserError(f"{path} holds other prompts; give the same ones for both kinds, or choose another --output")
    write_jsonl(path, originals)


def write_mixtures(folder: Path) -> None:
    """Write each mixture whose parts are there."""
    for name, parts in MIXTURES.items():
        files = [folder / f"{part}.jsonl" for part in parts]
        if all(file.exists() for file in files):
            write_jsonl(folder / f"{name}.jsonl", [row for file in files for row in read_jsonl(file)])
