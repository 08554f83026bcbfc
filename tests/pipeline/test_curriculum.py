"""Two-stage curricula: which prompts, which launches; and flags checked by the host's own parser."""

import json
import shlex
import sys
from subprocess import CompletedProcess

import pytest

from openrlhf_unlearn.cli import main
from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.host.flags import check_launch, join_flags, shown, split_flags
from openrlhf_unlearn.pipeline import curriculum
from openrlhf_unlearn.store.run_dir import read_table, write_json
from openrlhf_unlearn.store.trust import own
from tests.interventions.runs import make_run

LAUNCH = (
    "python -m openrlhf.cli.train_ppo --plugin unlearn --actor.model_name_or_path base --data.prompt_dataset d.jsonl "
    "--reward.remote_url r.py --ckpt.output_dir old --ckpt.load_enable --actor.adam.betas 0.9 0.99 "
    "--vllm.num_engines 1 --train.num_episodes=3 --actor.num_gpus_per_node 1 --algo.advantage.estimator group_norm "
    "--unlearn.skip_prompts s --rollout.n_samples_per_prompt 8"
)


@pytest.fixture
def run(tmp_path):
    run = make_run(tmp_path, 40)
    write_json(run.run_json, {**run.config().values, "command": LAUNCH})
    own(run.run_json)
    return run


def groups(run) -> dict[str, str]:
    return {row["prompt_id"]: row["group"] for row in read_table(run.learnability).to_pylist()}


def test_stage_one_has_no_unlearnable_and_stage_two_as_many_others(run):
    one, two = curriculum.stage_prompts(run, None, None, 0)
    group = groups(run)
    assert len(one) == 30 and not any(group[name] == "unlearnable" for name in one)
    hard = [name for name in two if group[name] == "unlearnable"]
    assert len(hard) == 10 and len(two) == 20 and set(two) - set(hard) < set(one)
    assert curriculum.stage_prompts(run, None, None, 0) == (one, two)
    assert curriculum.stage_prompts(run, None, None, 1)[1] != two
    assert len(curriculum.stage_prompts(run, None, 4, 0)[1]) == 14


def test_a_dry_run_prints_both_launches_and_writes_nothing(run, tmp_path, capsys):
    words = ["--output", str(tmp_path / "c"), "--episodes", "2", "5", "--dry-run"]
    assert main(["curriculum", str(run), *words, "--flags", "--train.seed", "7"]) == 0
    first, second = (
        split_flags(shlex.split(text.replace("\\\n", " "))[3:])
        for text in capsys.readouterr().out.split("# stage ")[1:]
        for text in [text.partition("\n")[2]]
    )
    assert first["--actor.model_name_or_path"] == ["base"]
    assert (
        second["--actor.model_name_or_path"] == first["--ckpt.output_dir"] == [str(tmp_path / "c" / "stage1" / "model")]
    )
    assert (first["--train.num_episodes"], second["--train.num_episodes"]) == (["2"], ["5"])
    for flags in (first, second):
        assert flags["--train.seed"] == ["7"] and flags["--actor.adam.betas"] == ["0.9", "0.99"]
        assert "--unlearn.skip_prompts" not in flags and "--ckpt.load_enable" not in flags
    assert not (tmp_path / "c").exists()


def test_a_stage_that_failed_is_taken_up_and_a_done_one_left_alone(run, tmp_path, monkeypatch, capsys):
    """A program in the launcher's place writes its flags down, as the launcher writes run.json, and fails once."""
    program = tmp_path / "python"
    program.write_text(
        f'''#!{sys.executable}
import json, pathlib, sys
flags = sys.argv[sys.argv.index("--unlearn.run_dir") + 1]
folder = pathlib.Path(flags)
folder.mkdir(parents=True, exist_ok=True)
first = not (folder / "run.json").exists()
(folder / "run.json").write_text("{{}}")
with open("{tmp_path}/told", "a") as lines:
    lines.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(7 if first and "stage2" in flags else 0)
'''
    )
    program.chmod(0o755)
    monkeypatch.setattr(curriculum.sys, "executable", str(program))
    assert main(["curriculum", str(run), "--output", str(tmp_path / "c")]) == 1
    assert "stage 2 ended with exit code 7" in capsys.readouterr().err
    assert main(["curriculum", str(run), "--output", str(tmp_path / "c")]) == 0
    assert "stage 1: done before" in capsys.readouterr().out
    told = [split_flags(json.loads(line)[2:]) for line in (tmp_path / "told").read_text().splitlines()]
    assert [flags["--ckpt.output_dir"][0].split("/")[-2] for flags in told] == ["stage1", "stage2", "stage2"]
    assert ["--ckpt.load_enable" in flags for flags in told] == [False, False, True]
    assert len(json.loads((tmp_path / "c" / "stage2" / "prompts.json").read_text())) == 20


def test_a_run_without_a_launch_or_with_a_wrong_flag_is_refused(run, tmp_path, capsys):
    assert main(["curriculum", str(run), "--output", str(tmp_path / "c"), "--flags", "--train.sed", "7"]) == 2
    assert "unrecognized arguments: --train.sed 7" in capsys.readouterr().err
    write_json(run.run_json, {**run.config().values, "command": ""})
    assert main(["curriculum", str(run), "--output", str(tmp_path / "c")]) == 1
    assert "imported runs have none to repeat" in capsys.readouterr().err


def test_the_launch_of_a_received_run_is_not_repeated_unasked(run, tmp_path, monkeypatch, capsys):
    write_json(run.run_json, {**run.config().values, "seed": 5})  # not as this user's own training wrote it
    launched = []
    monkeypatch.setattr(curriculum, "launch", lambda *given: launched.append(given))
    words = ["curriculum", str(run), "--output", str(tmp_path / "c")]
    assert main(words) == 1
    assert "was not written by you on this machine, and names code: the launch" in capsys.readouterr().err
    assert not launched
    assert main([*words, "--trust-run"]) == 0
    assert len(launched) == 2
    assert main(words) == 0  # from then on it is the user's


@pytest.mark.parametrize("key", ["my-own-wandb-key", None])
def test_a_key_that_no_run_keeps_is_the_environments_or_left_out(run, tmp_path, monkeypatch, capsys, key):
    secret = "the-key-of-that-time"
    write_json(run.run_json, {**run.config().values, "command": f"{LAUNCH} --logger.wandb.key {secret}"})
    own(run.run_json)
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    else:
        monkeypatch.delenv("WANDB_API_KEY", raising=False)
    launched = []
    monkeypatch.setattr(
        curriculum.subprocess, "run", lambda words: launched.append(words) or CompletedProcess(words, 0)
    )
    assert main(["curriculum", str(run), "--output", str(tmp_path / "c")]) == 0
    said = capsys.readouterr()
    for words in launched:
        assert split_flags(words[3:]).get("--logger.wandb.key") == ([key] if key else None)
    assert ("--logger.wandb.key is not kept in a run" in said.err) == (key is None)
    written = run.run_json.read_text() + "".join(p.read_text() for p in (tmp_path / "c").rglob("*.json"))
    for text in (said.out, said.err, written):
        assert secret not in text and str(key) not in text


def test_flags_are_split_and_joined():
    words = ["--a.b", "1", "2", "--c", "--d=-3", "--a.b", "4"]
    assert split_flags(words) == {"--a.b": ["4"], "--c": [], "--d": ["-3"]}
    assert join_flags(split_flags(words)) == ["--a.b", "4", "--c", "--d", "-3"]
    assert shlex.split(shown(["run", "it", "--a", "b c", "--d"]).replace("\\\n", "")) == [
        "run",
        "it",
        "--a",
        "b c",
        "--d",
    ]
    with pytest.raises(UsageError, match="before the first flag"):
        split_flags(["stray"])


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--no.such_flag", "1"], "unrecognized arguments"),
        (["--train.seed", "x"], "invalid int value"),
        (["--plugin", "unlearn", "--unlearn.filtre", "none"], "unrecognized arguments"),
        (["--unlearn.filter", "none"], "unrecognized arguments"),
        (["--plugin", "unlearn", "--vllm.num_engines", "1"], "needs each rollout's reward"),
        (["--train.see", "1"], "unrecognized arguments"),
    ],
)
def test_a_wrong_flag_is_found_by_the_hosts_own_parser(words, complaint):
    with pytest.raises(UsageError, match=complaint):
        check_launch("train_ppo", words)
