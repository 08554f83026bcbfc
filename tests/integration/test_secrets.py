"""A real launch with marked secrets in flags, environment and URLs: none is in what we wrote, logged or printed."""

import getpass
import tempfile
from pathlib import Path

import pytest

from openrlhf_unlearn import cli
from tests.integration.stack import NO_REFERENCE, Training, check_run

pytestmark = pytest.mark.slow
MARK = "MaRkEdSeCrEt"


def test_a_launch_and_its_report_hold_no_secret(world, tmp_path, monkeypatch, capsys):
    """W&B is the host's: it is told the key, and writes offline into a folder of its own. Ray keeps the command line of
    every driver in its own logs, which SECURITY.md says; ours is what our code says there."""
    secrets = {
        "HF_TOKEN": f"hf_{MARK}",
        "OPENAI_API_KEY": f"{MARK}Openai",
        "MY_SERVICE": f"https://me:{MARK}@x.invalid/",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "wandb"))
    monkeypatch.setenv("NETRC", str(tmp_path / "wandb" / "netrc"))
    monkeypatch.setenv("RAY_TMPDIR", ray := tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    (tmp_path / "wandb").mkdir()
    training = Training(world, tmp_path / "training")
    data = tmp_path / "train.jsonl"
    data.write_text("".join((world / "train.jsonl").read_text().splitlines(keepends=True)[:64]))
    training.flags["data.prompt_dataset"] = data
    said = training(unlearn__filter="none", unlearn__save_rollouts=1, logger__wandb__key=MARK * 4, **NO_REFERENCE)
    check_run(training)
    assert cli.main(["analyze", str(training.run), "--offline"]) in (0, 1)  # there is no evaluation, and it says so
    printed = capsys.readouterr()
    assert MARK not in said + printed.out + printed.err
    ours = [path for path in training.folder.rglob("*") if path.is_file()]
    assert training.run.run_json in ours
    assert [path for path in ours if MARK.encode() in path.read_bytes()] == []
    lines = [line for log in Path(ray).rglob("*.log") for line in log.read_text(errors="replace").splitlines()]
    lines += [line for log in Path(ray).rglob("*.out") for line in log.read_text(errors="replace").splitlines()]
    assert lines, getpass.getuser()
    assert [line for line in lines if MARK in line and "entrypoint" not in line.lower()] == []
