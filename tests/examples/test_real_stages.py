"""examples/real_stages.py: a stage's line is written when it ends, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.stack import ROOT


@pytest.fixture
def watching(tmp_path):
    """Starts the script on a process; `output` is its file."""

    def start(pid: int) -> subprocess.Popen:
        words = [ROOT / "examples" / "real_stages.py", str(pid), "a stage", "--output", start.output]
        return subprocess.Popen([sys.executable, *map(str, words)])

    start.output = tmp_path / "stages.jsonl"
    return start


def handles(process: subprocess.Popen, number: signal.Signals) -> bool:
    """Whether the process has set a handler for the signal, by the kernel's word."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_it_ends_with_a_stage_that_nobody_has_asked_how_it_ended(watching):
    stage = subprocess.Popen([sys.executable, "-c", "pass"])  # a zombie until it is waited for
    assert watching(stage.pid).wait() == 0
    line = json.loads(watching.output.read_text())
    assert line["stage"] == "a stage" and line["seconds"] >= 0
    stage.wait()


def test_it_ends_when_it_is_told_to(watching):
    watcher = watching(os.getpid())
    while not handles(watcher, signal.SIGTERM):
        assert watcher.poll() is None
        time.sleep(0.01)
    watcher.terminate()
    assert watcher.wait() == 0
    line = json.loads(watching.output.read_text())
    assert line["stage"] == "a stage" and line["peak_gb"] >= 0
