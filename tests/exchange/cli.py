"""The import as a user runs it, and what came of it."""

import gzip
import json
from pathlib import Path

import pyarrow as pa

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import RunDir, read_table
from openrlhf_unlearn.store.training import Rewards


def imported(form: str, source, run: Path, *words) -> int:
    return cli.main(["import", form, str(source), "--run", str(run), *map(str, words)])


def counts(run: Path, processed: bool = False) -> dict[int, tuple[int, int, int]]:
    """(prompts, rollouts, positive ones) of every step."""
    found: dict[int, tuple] = {}
    for row in Rewards.read(RunDir(run)).arrow.to_pylist():
        if row["processed"] == processed:
            prompts, n, positive = found.get(row["step"], (0, 0, 0))
            found[row["step"]] = (prompts + 1, n + row["n"], positive + row["n_positive"])
    return found


def evaluated(run: Path, tag: str) -> list[dict]:
    return read_table(RunDir(run).evaluation(tag)).to_pylist()


def prompts(run: Path) -> list[dict]:
    return read_table(RunDir(run).prompts).to_pylist()


def write_lines(path: Path, rows: list, compress: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if compress == "gzip":
        content = gzip.compress(content)
    if compress == "zstd":  # two frames, as an archive that was appended to
        half = content.index(b"\n") + 1
        content = b"".join(pa.compress(part, "zstd", asbytes=True) for part in (content[:half], content[half:]))
    path.write_bytes(content)
    return path
