"""The table of the interventions has a row a run, and counts rollouts as they were sampled."""

import subprocess
import sys

from openrlhf_unlearn import cli
from tests.report.worlds import full_run


def test_a_row_a_run_with_its_rollouts(tmp_path):
    run = full_run(tmp_path / "baseline" / "run", each=4)
    assert cli.main(["classify", str(run)]) == 0
    words = [sys.executable, "examples/hypotheses_table.py", str(run)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rollouts = 4 * 4 * 8 * 6  # prompts a group, groups, rollouts, steps
    assert [line for line in done.stdout.splitlines() if "baseline" in line and f"{rollouts:,}" in line], done.stdout
