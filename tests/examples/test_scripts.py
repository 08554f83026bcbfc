"""Every training that a script of examples/ would start is accepted by the host's own parser and checks."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from openrlhf_unlearn.host.flags import split_flags
from tests.integration.stack import example, short_launches

ROOT = Path(__file__).parents[2]
SCRIPTS = (
    "baseline", "clip_higher", "no_kl", "oversample_replay", "review", "unlearnable_only_k64", "posterior", "hinted",
    "hints", "maxrl", "expert",
)  # fmt: skip
FILTERS = {
    "oversample_replay": "oversample_replay", "review": "review+none", "posterior": "dynamic", "hinted": "hinted",
    "expert": "oversample_replay",
}  # fmt: skip


def printed_command(script: str, setting: str, folder: Path) -> list[str]:
    """The words of the training command that the script would run."""
    words = (setting, folder, "--unlearn.save_rollouts", "2")
    printed = example(script, *words, DRY_RUN="print", ADAPTIVE="1", BEFORE=str(folder.parent / "before"))
    return shlex.split(printed.splitlines()[-1])


def test_a_locale_without_utf_8_does_not_end_a_training(tmp_path):
    """Nor does a byte that is no text."""
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"}
    command = [sys.executable, ROOT / "examples" / "progress.py", "--steps", "2", "--log", tmp_path / "train.log"]
    lines = "naïve ∑\nGlobal step 2: {'reward': 0.5}\n".encode() + b"\xff\n"
    done = subprocess.run(command, input=lines, env={**os.environ, **narrow}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert "naïve ∑" in (tmp_path / "train.log").read_text(encoding="utf-8")


def test_the_host_accepts_every_training(tmp_path):
    hints = tmp_path / "before" / "hints"
    hints.mkdir(parents=True)
    (hints.parent / "expert.jsonl").write_text('{"prompt_id": "0", "response": "12"}\n')
    for share in (25, 50, 75):
        (hints / f"hint_{share}.jsonl").write_text('{"prompt": "A1234=", "label": "12", "origin": "0", "hint": 0.5}\n')
    commands = {(s, w): printed_command(s, w, tmp_path / "out") for s in SCRIPTS for w in ("world", "qwen")}
    assert all(words[:3] == ["python", "-m", "openrlhf.cli.train_ppo"] for words in commands.values())
    for code, text in short_launches([[*words[3:], "--dry_run"] for words in commands.values()]):
        assert code == 0, text
    assert not (tmp_path / "out").exists()
    for (script, setting), words in commands.items():
        flags = split_flags(words[3:])
        aggregated = "token-mean" if setting == "qwen" else "seq-mean-token-mean"
        assert flags["--actor.loss_agg_mode"] == [aggregated], "the paper's code, or the world's own"
        plain = "dynamic" if setting == "qwen" else "none"
        assert flags["--unlearn.filter"] == [FILTERS.get(script, plain)]
