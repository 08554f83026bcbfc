"""The doctor names the one thing to do first, not what follows from it."""

import os
import shutil
import subprocess
import sys

from openrlhf_unlearn.host.hooks import host_folder
from openrlhf_unlearn.host.patching import Patch


def test_a_host_that_is_not_patched_for_the_cpu_is_told_so_and_not_its_hooks(tmp_path):
    folder = tmp_path / "openrlhf"
    shutil.copytree(host_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    Patch(folder).revert()
    done = subprocess.run(
        [sys.executable, "-m", "openrlhf_unlearn.cli", "doctor"],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.split()[1:2] == ["openrlhf"])
    assert line.startswith("FAIL") and line.endswith("without a GPU, patch first: openrlhf-unlearn patch apply")
    assert done.returncode == 1
