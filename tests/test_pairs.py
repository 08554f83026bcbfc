"""No two commands on one run lose a row, double one, or end in a trace: each pair started together.

OPENRLHF_UNLEARN_PAIRS=20 python -m pytest tests/test_pairs.py       every pair that often; 1 without it
"""

import itertools
import json
import os
import subprocess
import sys

from tests.pairs import VERBS


def test_every_pair_of_verbs_at_once(tmp_path):
    times = os.environ.get("OPENRLHF_UNLEARN_PAIRS", "1")
    done = subprocess.run([sys.executable, "-m", "tests.pairs", tmp_path, times], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"pair"')]
    assert [tuple(row["pair"]) for row in found] == list(itertools.combinations_with_replacement(VERBS, 2))
    assert [row for row in found if row["wrong"]] == []
