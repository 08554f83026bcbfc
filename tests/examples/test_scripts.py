"""Every training that a script of examples/ would start is accepted by the host's own parser and checks."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = ("baseline", "clip_higher", "no_kl", "oversample_replay", "review", "unlearnable_only_k64")


def printed_command(script: str, setting: str, folder: Path) -> list[str]:
    """The words of the training command that the script would run."""
    done = subprocess.run(
        ["bash", EXAMPLES / f"{script}.sh", setting, folder, "--unlearn.save_rollouts", "2"],
        env={**os.environ, "DRY_RUN": "print", "ADAPTIVE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout.splitlines()[-1])


CHECK_ALL = """
import json, sys
from openrlhf_unlearn import launcher
for words in json.load(sys.stdin):
    print(launcher.main([*words, "--dry_run"]), file=sys.stderr)
"""


def test_the_host_accepts_every_training(tmp_path):
    """All in one process of its own, since the launcher replaces the host's parts."""
    commands = {(s, w): printed_command(s, w, tmp_path / "out") for s in SCRIPTS for w in ("world", "qwen")}
    assert all(words[:3] == ["python", "-m", "openrlhf.cli.train_ppo"] for words in commands.values())
    given = json.dumps([words[3:] for words in commands.values()])
    done = subprocess.run([sys.executable, "-c", CHECK_ALL], input=given, capture_output=True, text=True)
    codes = [line for line in done.stderr.splitlines() if line.isdigit()]
    assert codes == ["0"] * len(commands), done.stderr
    assert not (tmp_path / "out").exists()
