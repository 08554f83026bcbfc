"""Stopped while they work, verbs end in one line, leave nothing running or half written, and go on to the same end."""

import json
import subprocess
import sys

from tests.pairs import VERBS
from tests.stopping import STOPPED


def test_verbs_that_are_stopped_twice_end_as_undisturbed_ones(tmp_path):
    done = subprocess.run([sys.executable, "-m", "tests.stopping", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"stopped"')]
    assert found == [{"stopped": name, "wrong": []} for name in STOPPED if name in VERBS]
