"""What pyright says of the rooms that it checks: strictly (pyproject.toml says which, and how), or in basic mode."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from openrlhf_unlearn.host.doctor import installed

ROOT = Path(__file__).parents[1]
NOT_YET = {"openrlhf_unlearn/store"}
BASIC = ["openrlhf_unlearn/report"]  # whole, beside its strict files


def test_the_typed_rooms_have_no_type_error():
    for package in ("basedpyright", "scipy-stubs"):
        if not installed(package):
            pytest.skip(f"{package} is not installed: pip install {package}")
    strict = re.search(r"^strict = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)[1]
    rooms = sorted(set(re.findall(r'"(.+?)"', strict)) - NOT_YET)
    assert rooms
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--level", "error", *rooms, *BASIC]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
