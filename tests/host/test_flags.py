"""The plugin's checks of flags, and paths that actors of another folder read."""

import argparse

import pytest

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.host import flags
from openrlhf_unlearn.host.plugin import _make_absolute, add_unlearn_flags, check_flags
from tests.host.training.host import namespace

HOST = {
    "algo": {"dynamic_filtering_enable": False, "advantage": {"is_correction_level": "off"}},
    "reward": {"remote_url": "reward.py"},
    "train": {
        "agent_func_path": None,
        "batch_size": 128,
        "micro_batch_size": 4,
        "dynamic_batch_enable": False,
    },
    "rollout": {"batch_size": 32, "n_samples_per_prompt": 8, "micro_batch_size": 8},
    "vllm": {"num_engines": 1},
    "actor": {"num_nodes": 1, "num_gpus_per_node": 1, "model_name_or_path": "model"},
    "critic": {"model_name_or_path": None},
    "ds": {"ring_attn_size": 1, "tensor_parallel_size": 1},
    "data": {"prompt_dataset": "data.jsonl, Qwen/data"},
    "eval": {"dataset": None},
    "ckpt": {"path": "./ckpt", "output_dir": "out"},
}


def arguments(*words):
    parser = argparse.ArgumentParser()
    add_unlearn_flags(parser)
    own = vars(parser.parse_args(words))
    return namespace({**HOST, "unlearn": {name.split(".")[1]: value for name, value in own.items()}})


@pytest.mark.parametrize(("rollouts", "k", "train"), [(32, 8, 96), (32, 8, 512), (10, 3, 4)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_rollouts_that_are_no_whole_optimiser_steps_are_refused_by_name(rollouts, k, train, dynamic):
    args = arguments()
    args.rollout.batch_size, args.rollout.n_samples_per_prompt, args.train.batch_size = rollouts, k, train
    args.train.dynamic_batch_enable = dynamic
    with pytest.raises(
        UsageError, match=rf"--rollout.batch_size {rollouts} .*do not divide into --train.batch_size {train}"
    ):
        check_flags(args)


@pytest.mark.parametrize("train", [4, 64, 128, 256])
def test_whole_optimiser_steps_pass(train):
    args = arguments()
    args.train.batch_size = train
    check_flags(args)


def test_a_threshold_is_a_finite_number():
    assert arguments().unlearn.positive_above == 0.5
    with pytest.raises(UsageError, match="--unlearn.positive_above must be a finite number"):
        check_flags(arguments("--unlearn.positive_above", "nan"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--unlearn.expert_traces t.jsonl", "oversample_replay, which dynamic has not"),
        (
            "--unlearn.expert_traces t.jsonl --unlearn.filter review+none",
            "oversample_replay, which review.none has not",
        ),
        ("--unlearn.expert_shaping 0.1 --unlearn.filter oversample_replay", "give --unlearn.expert_traces FILE too"),
        ("--unlearn.review_instead --unlearn.filter oversample_replay", "--unlearn.filter review, or review.NAME"),
        ("--unlearn.hint_trains one", "--unlearn.hint_trains is of --unlearn.filter hinted"),
    ],
)
def test_a_flag_without_the_filter_that_it_is_for_is_refused_at_once(tmp_path, monkeypatch, words, says):
    (tmp_path / "t.jsonl").write_text('{"prompt_id": "0", "response": "1"}\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        check_flags(arguments(*words.split()))


@pytest.mark.parametrize("spec", ["oversample_replay", "review+oversample_replay", "mine.py:Mine"])
def test_expert_traces_go_with_a_filter_that_has_a_buffer(tmp_path, monkeypatch, spec):
    (tmp_path / "t.jsonl").write_text('{"prompt_id": "0", "response": "1"}\n')
    monkeypatch.chdir(tmp_path)
    check_flags(arguments("--unlearn.expert_traces", "t.jsonl", "--unlearn.filter", spec))


def test_actors_of_another_folder_read_the_same_files(tmp_path, monkeypatch):
    for name in ("reward.py", "mine.py", "skip.json", "learnability.parquet", "data.jsonl"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    args = arguments(
        "--unlearn.filter", "review+mine.py:Mine", "--unlearn.skip_prompts", "skip.json", "--unlearn.only_prompts",
        "learnability.parquet:easy", "--unlearn.answer_format", "mine.py:Format", "--unlearn.sampler", "mine.py:Mine",
    )  # fmt: skip
    _make_absolute(args)
    own = args.unlearn
    assert own.filter == f"review+{tmp_path}/mine.py:Mine"
    assert own.sampler == f"{tmp_path}/mine.py:Mine"
    assert own.skip_prompts == f"{tmp_path}/skip.json"
    assert own.only_prompts == f"{tmp_path}/learnability.parquet:easy"
    assert own.answer_format == f"{tmp_path}/mine.py:Format"
    assert args.reward.remote_url == f"{tmp_path}/reward.py"
    assert args.data.prompt_dataset == f"{tmp_path}/data.jsonl,Qwen/data"
    assert (args.ckpt.path, args.ckpt.output_dir) == (f"{tmp_path}/ckpt", f"{tmp_path}/out")


@pytest.mark.parametrize("text", [None, "def main(): ...", "if __name__ == '__main__':\n    main()"])
def test_a_host_whose_launcher_moved_its_parser_is_refused_in_a_line(tmp_path, monkeypatch, text):
    monkeypatch.setattr(flags, "host_folder", lambda: tmp_path)
    if text is not None:
        (tmp_path / "cli").mkdir()
        (tmp_path / "cli" / "train_sft.py").write_text(text)
    with pytest.raises(UserError, match="train_sft.py makes no parser where it is run"):
        flags.host_parser("train_sft")
