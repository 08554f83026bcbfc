"""Every script of examples/paper is accepted, command by command, by the parsers of the host and of our verbs."""

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.host.flags import split_flags
from openrlhf_unlearn.store.run_dir import prompt_id, read_table
from tests.report import worlds

PAPER = Path(__file__).parents[2] / "examples" / "paper"
sys.path.insert(0, str(PAPER))
import probe_prompts  # noqa: E402

SCRIPTS = sorted(path.stem for path in PAPER.glob("*_*.sh"))


def dry_run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    words = ["bash", PAPER / f"{script}.sh", "--dry-run", folder]
    return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What a script's dry run prints, by its name; each runs once."""
    folder = tmp_path_factory.mktemp("paper") / "out"

    @cache
    def of(script: str) -> str:
        done = dry_run(script, folder, SEEDS="1")
        assert done.returncode == 0, done.stderr
        assert not folder.exists()
        return done.stdout

    return of


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_dry_run_checks_every_command_and_writes_nothing(script, printed):
    assert "openrlhf-unlearn" in printed(script)


def launches(text: str) -> list[dict[str, list[str]]]:
    """The flags of every training that a dry run printed."""
    commands = [shlex.split(line) for line in text.replace("\\\n", " ").splitlines() if line.startswith("python -m")]
    return [split_flags(words[3:]) for words in commands if words[2] == "openrlhf.cli.train_ppo"]


@pytest.mark.parametrize(
    ("setting", "model"),
    [("qwen05b", "Qwen2.5-0.5B"), ("llama3b", "Llama-3.2-3B-Instruct"), ("qwen3b", "Qwen2.5-3B")],
)
def test_table_1_is_the_papers_code_and_classifies_at_the_newest_best_checkpoint(setting, model, tmp_path):
    for step in (20, 100, 60):
        (tmp_path / "baseline-1" / "checkpoints" / f"best_global_step{step}_hf").mkdir(parents=True)
    done = dry_run("table_1", tmp_path, SETTING=setting, SEEDS="1 42", NODES="2")
    text, trainings = done.stdout, launches(done.stdout)
    assert done.returncode == 0, done.stderr
    assert model in text and "--actor.num_nodes 2" in text
    assert [flags["--train.seed"] for flags in trainings] == [["1"], ["42"]]
    for flags in trainings:
        assert flags["--actor.loss_agg_mode"] == ["token-mean"] and flags["--unlearn.filter"] == ["dynamic"]
        assert flags["--eval.dataset"] == [str(tmp_path / "validation.jsonl")] and flags["--eval.steps"] == ["20"]
        assert "--ckpt.save_hf" in flags and "--ckpt.best_metric_key" not in flags  # the host takes the first pass1
    assert "--split test" in text and "/model --data" not in text
    for seed, step in ((1, "100"), (42, "N")):  # what is there, and what will be
        assert f"{tmp_path}/baseline-{seed}/checkpoints/best_global_step{step}_hf" in text


@pytest.mark.parametrize(("given", "samples"), [({}, "1000"), ({"SAMPLES": "64"}, "64")])
def test_figure_6_samples_its_prompts_a_thousand_times(given, samples, tmp_path, printed):
    text = dry_run("figure_6", tmp_path, **given).stdout if given else printed("figure_6")
    assert f"-n {samples}" in text.replace("\\\n", "") and "--tag probed" in text.replace("\\\n   ", "")


@pytest.mark.parametrize(
    ("given", "attention", "sleeps"),
    [({}, "sdpa", True), ({"ATTENTION": "flash_attention_2", "SLEEP": "0"}, "flash_attention_2", False)],
)
def test_flash_attention_and_sleep_mode_are_optional(given, attention, sleeps, tmp_path, printed):
    (flags,) = launches(dry_run("figure_4", tmp_path, **given).stdout if given else printed("figure_4"))
    assert flags["--ds.attn_implementation"] == [attention] and ("--vllm.enable_sleep" in flags) == sleeps


def test_the_probed_prompts_are_a_few_of_each_group(tmp_path):
    made = worlds.prompts(12)
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"q": p.text, "a": p.label}) + "\n" for p in made))
    keys = {"prompt_dataset": str(data), "input_key": "q", "label_key": "a"}
    run = worlds.start(tmp_path / "run", made, args={"data": keys})
    for tag in ("initial", "final"):
        worlds.evaluate(run, made, tag)
    assert cli.main(["classify", str(run.path)]) == 0
    words = [sys.executable, PAPER / "probe_prompts.py", run.path, "--per-group", "2", "--out", tmp_path / "p.jsonl"]
    assert probe_prompts.chosen({"a": "easy", "b": "mixed", "c": "easy"}, 5, 0) == {"a", "c"}
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    groups = {row["prompt_id"]: row["group"] for row in read_table(run.learnability).to_pylist()}
    found = Counter(groups[prompt_id(row["q"], row["a"])] for row in rows)
    assert set(found.values()) == {2} and set(found) == set(groups.values()) & {"easy", "learnable", "unlearnable"}


def test_a_flag_that_the_host_does_not_know_fails_the_dry_run(tmp_path):
    wrong = tmp_path / "examples" / "paper"
    wrong.mkdir(parents=True)
    (wrong.parent / "gpu_flags.sh").write_text((PAPER.parent / "gpu_flags.sh").read_text())
    for name in ("settings.sh", "figure_4.sh"):
        text = (PAPER / name).read_text().replace("--algo.advantage.estimator", "--algo.advantage.estimatr")
        (wrong / name).write_text(text)
    done = subprocess.run(["bash", wrong / "figure_4.sh", "--dry-run", tmp_path / "o"], capture_output=True, text=True)
    assert done.returncode == 2 and "--algo.advantage.estimatr" in done.stderr
