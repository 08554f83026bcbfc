"""An environment that is there is used as it is: nothing is made or installed, and the line says which it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOW = """
import sys
from importlib.metadata import entry_points
import openrlhf_unlearn
print(sys.executable, openrlhf_unlearn.__file__, *(e.value for e in entry_points(group="openrlhf.plugins")), sep="\\n")
"""


def environment(commands: str, **variables: str) -> subprocess.CompletedProcess:
    names = ("UNLEARN_PYTHON", "PYTHON", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(["bash", "-c", commands], cwd=ROOT, env={**kept, **variables}, capture_output=True, text=True)


@pytest.fixture
def poor(tmp_path):
    """An interpreter that can import nothing."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", ["UNLEARN_PYTHON", "PYTHON"])
def test_the_named_environment_is_used_as_it_is(name, tmp_path):
    commands = f". {ROOT}/examples/environment.sh && cd {tmp_path} && python -c '{SHOW}' && openrlhf-unlearn --version"
    done = environment(commands, **{name: sys.executable})
    assert done.returncode == 0, done.stderr
    line, executable, package, plugin, version = done.stdout.splitlines()
    assert line.startswith(f"Environment: {sys.executable}, used as it is (torch ") and "openrlhf 0." in line
    assert (executable, package) == (sys.executable, str(ROOT / "openrlhf_unlearn" / "__init__.py"))
    assert plugin == "openrlhf_unlearn.host.plugin:UnlearnPlugin" and version.startswith("openrlhf-unlearn ")


def test_an_environment_without_pytorch_is_refused_in_a_line(poor):
    done = environment(". examples/environment.sh", UNLEARN_PYTHON=poor)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"{poor} has no PyTorch and transformers" in done.stderr


def test_a_python_without_openrlhf_is_what_the_venv_is_made_of(poor):
    """As before; and sourcing all but the last line starts nothing, which others rely on."""
    copy = Path(poor).with_name("all-but-the-last-line.sh")
    commands = f"sed '$d' examples/environment.sh >{copy} && . {copy} && {{ ready_python || echo none is ready; }}"
    done = environment(commands, PYTHON=poor)
    assert done.stdout.splitlines()[-1] == "none is ready", done.stderr
