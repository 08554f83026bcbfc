"""Long tests are left out unless asked for, and the last lines say how many, in one process and in several."""

import subprocess
import sys
from pathlib import Path

import pytest

SOME = """
import pytest

def test_short(): pass

@pytest.mark.long("test_short")
@pytest.mark.parametrize("n", range(3))
def test_long(n): pass
"""
LEFT = "3 long tests were left out: bash tests/run.sh --long runs all"


@pytest.mark.parametrize(
    ("words", "passed"), [([], 1), (["-n", "2"], 1), (["--long"], 4)], ids=["one process", "two", "all"]
)
def test_long_tests_are_left_out_and_counted_unless_asked_for(tmp_path, words, passed):
    if "-n" in words:
        pytest.importorskip("xdist")
    (tmp_path / "test_some.py").write_text(SOME)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", *words, "--rootdir", tmp_path, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert f"{passed} passed" in done.stdout
    assert (LEFT in done.stdout.splitlines()) == (passed == 1), done.stdout
