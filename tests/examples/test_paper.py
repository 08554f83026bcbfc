"""Every script of examples/paper is accepted, command by command, by the parsers of the host and of our verbs."""

import os
import subprocess
from pathlib import Path

import pytest

PAPER = Path(__file__).parents[2] / "examples" / "paper"
SCRIPTS = sorted(path.stem for path in PAPER.glob("*_*.sh"))


def dry_run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    words = ["bash", PAPER / f"{script}.sh", "--dry-run", folder]
    return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_dry_run_checks_every_command_and_writes_nothing(script, tmp_path):
    done = dry_run(script, tmp_path / "out", SEEDS="1")
    assert done.returncode == 0, done.stderr
    assert "openrlhf-unlearn" in done.stdout and not (tmp_path / "out").exists()


@pytest.mark.parametrize("setting, model", [("llama3b", "Llama-3.2-3B-Instruct"), ("qwen3b", "Qwen2.5-3B")])
def test_the_other_settings_too(setting, model, tmp_path):
    done = dry_run("table_1", tmp_path / "out", SETTING=setting, SEEDS="1", NODES="2")
    assert done.returncode == 0, done.stderr
    assert model in done.stdout and "--actor.num_nodes 2" in done.stdout


def test_a_flag_that_the_host_does_not_know_fails_the_dry_run(tmp_path):
    wrong = tmp_path / "examples" / "paper"
    wrong.mkdir(parents=True)
    for name in ("settings.sh", "figure_4.sh"):
        text = (PAPER / name).read_text().replace("--algo.advantage.estimator", "--algo.advantage.estimatr")
        (wrong / name).write_text(text)
    done = subprocess.run(["bash", wrong / "figure_4.sh", "--dry-run", tmp_path / "o"], capture_output=True, text=True)
    assert done.returncode == 2 and "--algo.advantage.estimatr" in done.stderr
