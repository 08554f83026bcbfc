"""The probe, its tests and its benchmark run where neither OpenRLHF nor Ray, vLLM or DeepSpeed is installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def without(*words, cwd: Path = ROOT) -> str:
    """Output of `python WORDS …` in which those packages cannot be imported; PYTHONPATH is this clone alone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_probes_tests_are_collected_and_the_command_writes_what_the_report_reads():
    """All of them pass there too: `python -m pytest -p tests.probe.alone tests/probe`."""
    words = ("-m", "pytest", "-q", "-rs", "-p", "tests.probe.alone", "-p", "no:cacheprovider")
    said = without(*words, "tests/probe", "tests/gpu", "-k", "test_writes_what_the_report_reads")
    passed, left = re.search(r"(\d+) passed, (\d+) deselected", said).groups()
    assert passed == "1" and int(left) > 100
    assert "SKIPPED" not in said, "a file of them is left out as a whole"


def test_the_benchmark_runs_from_anywhere(tmp_path):
    small = ["--layers", "1", "--vocabulary", "500", "--rollouts", "2", "--length", "8", "--rounds", "1"]
    start = "import runpy, sys, tests.probe.alone; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    text = without("-c", start, str(ROOT / "benchmarks" / "probe.py"), *small, cwd=tmp_path)
    result = json.loads(text.splitlines()[-1])
    assert result["tokens_a_second"] > 0 and result["relative_difference"] < 1e-3 and result["shape"] == "small"
