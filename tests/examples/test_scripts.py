"""Every training that a script of examples/ would start is accepted by the host's own parser and checks."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from openrlhf_unlearn.host.flags import split_flags
from tests.integration.stack import ROOT, example, short_launches

SCRIPTS = (
    "baseline", "clip_higher", "no_kl", "oversample_replay", "review", "unlearnable_only_k64", "posterior", "hinted",
    "hints", "maxrl", "expert", "transfer",
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


def test_the_host_accepts_every_training(tmp_path):
    hints = tmp_path / "before" / "hints"
    hints.mkdir(parents=True)
    (hints.parent / "expert.jsonl").write_text('{"prompt_id": "0", "response": "12"}\n')
    for share in (25, 50, 75):
        (hints / f"hint_{share}.jsonl").write_text('{"prompt": "A1234=", "label": "12", "origin": "0", "hint": 0.5}\n')
    commands = {(s, w): printed_command(s, w, tmp_path / "out") for s in SCRIPTS for w in ("world", "qwen")}
    real = [
        shlex.split(example("real", tmp_path / "out", *words, DRY_RUN="print").splitlines()[-1])
        for words in ((), ("--model", "Qwen/Qwen2.5-0.5B"))  # its own, and one of any size
    ]
    launches = [*commands.values(), *real]
    assert all(words[:3] == ["python", "-m", "openrlhf.cli.train_ppo"] for words in launches)
    for code, text in short_launches([[*words[3:], "--dry_run"] for words in launches]):
        assert code == 0, text
    assert not (tmp_path / "out").exists()
    assert split_flags(real[1][3:])["--actor.model_name_or_path"] == ["Qwen/Qwen2.5-0.5B"]
    for (script, setting), words in commands.items():
        flags = split_flags(words[3:])
        aggregated = "token-mean" if setting == "qwen" else "seq-mean-token-mean"
        assert flags["--actor.loss_agg_mode"] == [aggregated], "the paper's code, or the world's own"
        plain = "dynamic" if setting == "qwen" else "none"
        assert flags["--unlearn.filter"] == [FILTERS.get(script, plain)]


def test_the_comparison_is_there_before_the_report_that_shows_it():
    steps = (
        '. examples/settings.sh; for step in settle prepare_data train evaluate; do eval "$step() { :; }"; done; '
        'FOLDER=after MODEL=model; openrlhf-unlearn() { echo "$@"; }; COMPARED=before/run; intervention one --'
    )
    environment = {**os.environ, "UNLEARN_PYTHON": sys.executable}
    said = subprocess.run(
        ["bash", "-euc", steps], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    verbs = [line for line in said.stdout.splitlines() if line.startswith(("compare", "analyze"))]
    assert verbs == ["compare before/run after/run", "analyze after/run"]
    for script in ("hinted", "expert"):
        assert "\nCOMPARED=$BEFORE/run\n" in (ROOT / "examples" / f"{script}.sh").read_text()
