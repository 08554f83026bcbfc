"""The types of the rooms that are held to pyright's strict mode (pyproject.toml says which, and how it is run)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from openrlhf_unlearn.host.doctor import installed

ROOT = Path(__file__).parents[1]
NOT_YET = {"openrlhf_unlearn/store"}


def test_the_strict_rooms_have_no_type_error():
    for package in ("basedpyright", "scipy-stubs"):
        if not installed(package):
            pytest.skip(f"{package} is not installed: pip install {package}")
    strict = re.search(r"^strict = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)[1]
    rooms = sorted(set(re.findall(r'"(.+?)"', strict)) - NOT_YET)
    assert rooms
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--level", "error", *rooms]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
