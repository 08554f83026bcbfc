"""A line of JSON lines ends at a line feed: a text may hold what str.splitlines takes for an end, too."""

import json
import re
from pathlib import Path

import pytest

import openrlhf_unlearn
from openrlhf_unlearn.host.json_rows import json_rows
from openrlhf_unlearn.interventions.hints import read_solutions
from openrlhf_unlearn.probe.two_probes import _pairs

ENDS = "\u2028\u2029\x85"
READERS = {
    "hints --solutions": lambda path: read_solutions(None, path, "solution"),
    "a flag of training": lambda path: json_rows("--unlearn.hints", str(path), ("prompt_id",), "hints"),
    "probe --variants": lambda path: _pairs(path, None),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_text_with_unicode_s_line_ends_is_one_row(tmp_path, read):
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt_id": name, "variant_id": f"{name}2", "solution": f"a{ENDS}b"} for name in ("p", "q")]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    assert len(read(path)) == 2


def test_no_reader_of_json_lines_parts_them_by_splitlines():
    root = Path(openrlhf_unlearn.__file__).parent
    sources = [*root.rglob("*.py"), *(root.parent / "examples").rglob("*.py")]
    parted = re.compile(r"json\.loads.*splitlines|splitlines.*json\.loads|jsonl.*splitlines")
    assert not [f"{path}: {line}" for path in sources for line in path.read_text().split("\n") if parted.search(line)]
