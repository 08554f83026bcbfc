"""Every training that a script of examples/ would start is accepted by the host's own parser and checks."""

import shlex
from pathlib import Path

from openrlhf_unlearn.host.flags import split_flags
from tests.integration.stack import example, short_launches

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
