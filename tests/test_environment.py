"""examples/environment.sh: which interpreter it takes, and what it says where none will do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openrlhf_unlearn import cli

SCRIPT = Path(__file__).parents[1] / "examples" / "environment.sh"
INSTALL = SCRIPT.with_name("install_gpu.sh")


def interpreter(path: Path, version: tuple[int, int], more: str = "") -> None:
    """A Python that says it is of this version, for code given by -c; `more` is run before that."""
    told = f"import sys, sysconfig; sys.version_info = {(*version, 0, 'final', 0)}; sys._base_executable = '{path}'"
    told += f"; {more}"
    path.write_text(f'#!/bin/bash\n[ "$1" = -c ] && exec {sys.executable} -c "{told}\n$2" "${{@:3}}"\nexit 1\n')
    path.chmod(0o755)


def call(folder: Path, code: str, script: Path = SCRIPT, **environment) -> subprocess.CompletedProcess:
    """Bash with the script's functions, in which only `folder`'s interpreters are found."""
    for name in ("bash", "sed", "dirname", "grep", "df", "awk", "uname", "cat", "g++", "git", "cksum"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return subprocess.run(
        ["bash", "-c", f". <(sed '$d' {script})\nROOT={SCRIPT.parents[1]}\n{code}"],  # all but its last line, the work
        env={**os.environ, "PATH": str(folder), "HOME": str(folder), "PYTHON": "", **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3": (3, 13), "python3.11": (3, 11), "python3.10": (3, 10)}, "python3.11"),
        ({"python3": (3, 12)}, "python3"),
        ({"python3": (3, 13), "python3.12": (3, 12), "python3.10": (3, 10)}, "python3.12"),
        ({"python3": (3, 9)}, None),
        ({}, None),
    ],
)
def test_the_newest_that_the_host_has_wheels_for_is_taken(tmp_path, there, taken):
    for name, version in there.items():
        interpreter(tmp_path / name, version)
    done = call(tmp_path, "find_python")
    assert done.stdout == (f"{tmp_path / taken}\n" if taken else "")
    assert (done.returncode == 0) == bool(taken), done.stderr


def test_a_machine_without_one_is_told_which_will_do(tmp_path):
    interpreter(tmp_path / "python3", (3, 13))
    said = call(tmp_path, 'list_lacking "" 0').stdout
    assert "CPython 3.10, 3.11 or 3.12, which OpenRLHF has wheels for: python3 is" in said
    assert "set PYTHON=/path/to/python3.12" in said


@pytest.mark.parametrize(
    ("there", "refused"),
    [
        ('mkdir "$VENV"; touch "$VENV/mine"', True),
        ('mkdir elsewhere; touch elsewhere/mine; ln -s elsewhere "$VENV"', True),
        ('mkdir "$VENV"; touch "$MADE"', False),  # ours, stopped before it was whole
        ('mkdir "$VENV"; touch "$STAMP"', False),  # of a version that left no such mark
        ("", False),
    ],
)
def test_an_environment_that_is_not_ours_is_never_emptied(tmp_path, there, refused):
    for name in ("mkdir", "ln", "touch", "ls"):
        (tmp_path / name).symlink_to(shutil.which(name))
    names = "VENV=$PWD/.venv; STAMP=$VENV/stamp MADE=$VENV/made INSTALL_LOG=$PWD/log DEVICE=gpu"
    emptied = "stage() { echo emptied; exit 3; }"
    done = call(tmp_path, f"cd {tmp_path}; {names}; {there}\n{emptied}; make_venv /usr/bin/python3")
    assert ("is not of this script's making, which would empty it" in done.stderr) == refused, done.stderr
    assert ("emptied" in done.stdout) != refused


def test_another_processor_is_refused(tmp_path):
    said = call(tmp_path, 'uname() { [ -z "$1" ] && echo Linux || echo aarch64; }; list_lacking python3 0').stdout
    assert "Linux on x86-64, which OpenRLHF and vLLM have wheels for: this is Linux on aarch64" in said


@pytest.mark.parametrize(
    ("version", "line"), [((3, 13), "CPython 3.10, 3.11 or 3.12"), ((3, 12), "nvcc, flash-attn and DeepSpeed")]
)
def test_the_install_script_checks_before_it_starts(tmp_path, version, line):
    interpreter(tmp_path / "python3", version)
    done = install(tmp_path)
    assert done.returncode == 1 and "+ pip" not in done.stdout
    assert line in done.stderr


def install(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """What install_gpu.sh does where only `folder`'s interpreter is found, and no nvcc, so that it stops."""
    for name in ("bash", "sed", "df", "awk", "uname", "dirname"):
        if not (folder / name).exists():
            (folder / name).symlink_to(shutil.which(name))
    environment = {"PATH": str(folder), "CUDA_HOME": "/nonexistent", **environment}
    return subprocess.run(["bash", INSTALL, *words], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("program", "prints", "line"),
    [
        ("df", "Filesystem 1024-blocks Used Available\n/dev/vda 9 9 30408704", "disk: 29 GB free"),
        ("uname", "aarch64", "Linux on x86-64: this is"),
    ],
)
def test_the_install_script_checks_disk_and_processor(tmp_path, program, prints, line):
    interpreter(tmp_path / "python3", (3, 12))
    (tmp_path / program).write_text(f"#!/bin/bash\necho '{prints}'\n")
    (tmp_path / program).chmod(0o755)
    done = install(tmp_path, "--check")
    assert done.returncode == 1 and line in done.stderr
    (tmp_path / program).unlink()
    assert line not in install(tmp_path, "--check").stderr


def test_on_slurm_rays_dashboard_is_for_its_own_node_alone(tmp_path):
    """Who reaches it runs code as the user; srun is a program that writes what it is asked to start."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    programs = {"srun": 'echo "$@" >>asked', "scontrol": "printf 'a\\nb\\n'", "timeout": "exit 0", "ray": "exit 0"}
    for name, does in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    slurm = {"SUBMIT_DIR": str(tmp_path), "CPUS_ON_NODE": "8", "NNODES": "2", "JOB_NODELIST": "a,b"}
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **{f"SLURM_{name}": v for name, v in slurm.items()}}
    script = SCRIPT.parent / "paper" / "slurm.sbatch"
    subprocess.run(["bash", script, "none"], env=environment, capture_output=True, timeout=60)
    asked = (tmp_path / "asked").read_text().splitlines()
    (head,) = (line for line in asked if "--head" in line)
    assert "-w a ray start --head" in head and "--dashboard-host 127.0.0.1" in head
    assert not any("--dashboard-host" in line for line in asked if line != head)


@pytest.mark.parametrize(("environment", "refused"), [({}, True), ({"PIP_BREAK_SYSTEM_PACKAGES": "1"}, False)])
def test_the_systems_python_is_taken_only_where_pip_is_told_to(tmp_path, environment, refused):
    marked = "import os; sys.base_prefix = sys.prefix; os.path.exists = lambda path: True"
    interpreter(tmp_path / "python3", (3, 12), marked)
    assert ("python3 is the system's" in install(tmp_path, **environment).stderr) == refused


def test_the_lines_for_a_machine_without_gpu_are_those_that_make_the_environment():
    lines = (SCRIPT.parents[1] / "docs" / "install.md").read_text().split("## Without a GPU")[1].split("```")[1]
    script = SCRIPT.read_text()
    torch, host = (re.search(pattern, script)[1] for pattern in (r"\nTORCH=(.*)", r"\nHOST=\((.*)\)"))
    index = re.search(r"TORCH_CPU_INDEX:-(.*)}", script)[1]
    removed = re.search(r"uninstall --yes (.*); }", script)[1]
    assert f"pip install torch=={torch}+cpu --index-url {index}\n" in lines
    assert all(pinned.strip('"') in lines for pinned in host.split())
    assert f"pip uninstall --yes {removed}\n" in lines


def test_copied_scripts_ask_for_an_environment_and_for_no_clone(tmp_path):
    assert cli.main(["examples", str(tmp_path)]) == 0
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "UNLEARN_PYTHON")}
    command = ["bash", tmp_path / "examples" / "quickstart.sh"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "UNLEARN_PYTHON=$(which python) bash" in done.stderr
    assert "clone is not whole" not in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / ".venv").exists()


def test_the_install_script_refuses_what_it_does_not_know(tmp_path):
    interpreter(tmp_path / "python3", (3, 12))
    done = install(tmp_path, "--chek")
    assert done.returncode == 2 and "unknown argument --chek" in done.stderr


def test_a_locale_without_utf_8_does_not_end_a_training(tmp_path):
    """Nor does a byte that is no text."""
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"}
    command = [sys.executable, SCRIPT.with_name("progress.py"), "--steps", "2", "--log", tmp_path / "train.log"]
    lines = "naïve ∑\nGlobal step 2: {'reward': 0.5}\n".encode() + b"\xff\n"
    done = subprocess.run(command, input=lines, env={**os.environ, **narrow}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert "naïve ∑" in (tmp_path / "train.log").read_text(encoding="utf-8")
