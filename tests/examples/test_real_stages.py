"""examples/real_stages.py: a stage's line is written when it ends, however it ends."""

import json
import subprocess
import sys
import time

from tests.integration.stack import ROOT


def test_it_ends_with_a_stage_that_nobody_has_asked_how_it_ended(tmp_path):
    stage = subprocess.Popen([sys.executable, "-c", "pass"])  # a zombie until it is waited for
    output = tmp_path / "stages.jsonl"
    words = [ROOT / "examples" / "real_stages.py", str(stage.pid), "a stage", "--output", output]
    started = time.monotonic()
    subprocess.run([sys.executable, *map(str, words)], check=True, timeout=60)
    line = json.loads(output.read_text())
    assert line["stage"] == "a stage" and 0 <= line["seconds"] <= time.monotonic() - started
    stage.wait()
