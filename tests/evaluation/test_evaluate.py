"""Evaluation: the host's own prompts, settings from the run, parts that survive a kill; and the real engine."""

import contextlib
import json
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.adaptive import Plan
from openrlhf_unlearn.evaluation.engines import EngineConfig, check_length, room
from openrlhf_unlearn.evaluation.evaluate import EvaluateOptions, Sampling, _chunks
from openrlhf_unlearn.evaluation.parts import Parts, grow
from openrlhf_unlearn.evaluation.prompts import (
    DataConfig,
    Prompt,
    check_no_images,
    identified_rows,
    load_prompts,
    own_prompts,
    settle_prompts,
)
from openrlhf_unlearn.evaluation.rewards import Graded, reward_grader
from openrlhf_unlearn.evaluation.settings import resolve, start_run
from openrlhf_unlearn.grading.data_check import check_data_file
from openrlhf_unlearn.labels.counts import read_evaluation
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, read_json, read_table, write_json
from openrlhf_unlearn.store.summary import update_summary
from openrlhf_unlearn.store.trust import own
from openrlhf_unlearn.worlds.tokenizer import build_tokenizer
from tests.evaluation.coins import Coins
from tests.integration.stack import some_prompts
from tests.words import parsed

REWARD = """
def reward_func(queries, prompts, labels):
    assert len(queries) == 1 and queries[0].startswith(prompts[0])
    return {"rewards": float(queries[0].endswith("{" + labels[0] + "}<eos>"))}
"""


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.jsonl"
    rows = [{"prompt": f"A1111{i}=", "label": str(i), "datasource": "t"} for i in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return path


def settings_of(run, data, *words):
    options = parsed(
        EvaluateOptions,
        "--model",
        "m",
        "--run",
        run,
        "--tag",
        "initial",
        "--data",
        data,
        "--label-key",
        "label",
        *words,
    )
    return resolve(options, "m", RunDir(str(run)))


# Prompts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", [None, "Solve {} now"])
def test_prompts_are_those_of_the_hosts_dataset(data, template):
    from datasets import load_dataset
    from openrlhf.datasets.prompts_dataset import PromptDataset

    from openrlhf_unlearn.collect.prompts import distinct
    from openrlhf_unlearn.host.training.prompts import prompt_rows

    tokenizer = build_tokenizer()
    names = SimpleNamespace(input_key="prompt", label_key="label", apply_chat_template=False)
    strategy = SimpleNamespace(args=SimpleNamespace(data=names), is_rank_0=lambda: False)
    rows = load_dataset("json", data_files=str(data))["train"]
    theirs = distinct(prompt_rows(PromptDataset(rows, tokenizer, strategy, input_template=template)))
    ours = load_prompts(DataConfig(str(data), "prompt", "label", template), tokenizer)
    assert [(p.id, p.text, p.label) for p in ours] == [(p.id, p.text, p.label) for p in theirs]
    assert len(ours) == 6


def test_prompts_with_images_are_training_s_and_are_not_asked_without_them(tmp_path):
    """Their ids name what is in the images, as in training; answers to the text alone would be of another task."""
    from openrlhf.datasets.prompts_dataset import PromptDataset

    from openrlhf_unlearn.grading.data_check import host_rows
    from openrlhf_unlearn.host.training.prompts import prompt_rows

    rows = []
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        rows.append({"prompt": "what?", "label": "x", "shown": [str(tmp_path / name)]})
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = SimpleNamespace(input_key="prompt", label_key="label", image_key="shown", apply_chat_template=False)
    strategy = SimpleNamespace(args=SimpleNamespace(data=names), is_rank_0=lambda: False)
    theirs = prompt_rows(PromptDataset(host_rows(str(path), "train"), build_tokenizer(), strategy))
    ours = load_prompts(DataConfig(str(path), "prompt", "label", image_key="shown"), build_tokenizer())
    assert [p.id for p in ours] == [p.id for p in theirs] and len(ours) == 2
    with pytest.raises(UserError, match="2 of 2 prompts have images .column 'shown'."):
        check_no_images(ours, "shown")
    check_no_images(load_prompts(DataConfig(str(path), "prompt", "label"), build_tokenizer()), "images")

    run = RunDir(tmp_path / "run")
    data = {"prompt_dataset": str(path), "input_key": "prompt", "label_key": "label", "image_key": "shown"}
    write_json(run.run_json, {"schema_version": 1, "args": {"data": data}})
    assert [name for name, _ in identified_rows(run, None, "")] == [p.id for p in ours]
    write_json(run.run_json, {"schema_version": 1, "args": {"data": {**data, "apply_chat_template": True}}})
    with pytest.raises(UserError, match="names no model, whose chat template made its prompts"):
        identified_rows(run, None, "")


def test_rows_are_identified_by_a_label_in_a_nested_object_too(tmp_path):
    path, run = tmp_path / "d.jsonl", RunDir(tmp_path / "run")
    path.write_text(json.dumps({"prompt": "what?", "reward_model": {"ground_truth": "x"}}) + "\n")
    keys = {"input_key": "prompt", "label_key": "reward_model.ground_truth"}
    write_json(run.run_json, {"schema_version": 1, "args": {"data": {"prompt_dataset": str(path), **keys}}})
    ((name, row),) = identified_rows(run, str(path), "")
    (ours,) = load_prompts(DataConfig(str(path), **keys), build_tokenizer())
    assert name == ours.id and row["reward_model"] == {"ground_truth": "x"}


def test_chat_template_and_csv(tmp_path):
    (tmp_path / "d.csv").write_text("question,gold\nA11111=,5\nA11112=,6\n")
    tokenizer = build_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }}#"
    prompts = load_prompts(DataConfig(str(tmp_path / "d.csv"), "question", "gold", None, True), tokenizer)
    assert [(p.text, p.label) for p in prompts] == [("A11111=#", 5), ("A11112=#", 6)]
    assert prompts[0].id == prompt_id("A11111=#", "5")


def test_nested_keys(tmp_path):
    """The layout of verl's data sets, DAPO's for one; training refuses such keys, which the host cannot read."""
    rows = [{"prompt": f"q{i}", "reward_model": {"ground_truth": str(i)}} for i in (1, 2)]
    for name in ("d.jsonl", "d.parquet"):
        if name == "d.jsonl":
            (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        config = DataConfig(str(tmp_path / name), "prompt", "reward_model.ground_truth")
        assert [prompt.label for prompt in load_prompts(config, None)] == ["1", "2"]
    with pytest.raises(UserError, match="has no key 'reward_model.ground_truth'"):
        check_data_file(tmp_path / "d.jsonl", "prompt", "reward_model.ground_truth")
    with pytest.raises(UserError, match="has no key 'reward_model.truth'"):
        load_prompts(DataConfig(str(tmp_path / "d.jsonl"), "prompt", "reward_model.truth"), None)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig("no.jsonl", "prompt", "label"), "no.jsonl: no such file"),
        (DataConfig("data.jsonl", "question", "label"), "has no key 'question'"),
        (DataConfig("data.jsonl", "prompt", "gold"), "has no key 'gold'"),
    ],
)
def test_bad_data(data, monkeypatch, config, message):
    monkeypatch.chdir(data.parent)
    with pytest.raises(UserError, match=message):
        load_prompts(config, build_tokenizer())


def test_prompts_of_another_run_are_refused(tmp_path):
    run = RunDir(tmp_path)
    ours = [Prompt(prompt_id("a", "1"), "a", "1", "t"), Prompt(prompt_id("b", "2"), "b", "2", "t")]
    assert settle_prompts(run, ours) == ours
    assert settle_prompts(run, ours[1:]) == ours[1:]
    with pytest.raises(UserError, match="none of the 1 prompts of --data is in"):
        settle_prompts(run, [Prompt(prompt_id("c", "3"), "c", "3", "t")])


def imported_run(tmp_path, prompt: object = "A1111{}=", label: object = "{}") -> RunDir:
    """Of a framework that names its prompts: no data set has their ids."""
    rows = [
        {"id": f"q{i}", "prompt": json.loads(json.dumps(prompt).replace("{}", str(i))), "step": 1, "reward": i % 2}
        | ({"label": str(label).format(i)} if label else {})
        for i in range(4)
    ]
    (tmp_path / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ",".join(f"{name}={name}" for name in rows[0])
    source, run = str(tmp_path / "rollouts.jsonl"), str(tmp_path / "my run")
    assert cli.main(["import", "jsonl", source, "--run", run, "--columns", columns]) == 0
    return RunDir(run)


def test_the_command_that_an_imported_run_is_told_evaluates_its_own_prompts(tmp_path, monkeypatch, capsys):
    run, model, other = imported_run(tmp_path), tmp_path / "m", tmp_path / "other"
    for folder in (model, other):
        build_tokenizer().save_pretrained(folder)
        (folder / "config.json").write_text('{"model_type": "qwen2"}' + " " * (folder == other))
    tossed = lambda config, number: contextlib.nullcontext(Coins([0.5] * 4))  # noqa: E731
    monkeypatch.setattr("openrlhf_unlearn.evaluation.engines.engine_pool", tossed)
    assert cli.main(["classify", str(run)]) == 1
    told = shlex.split(capsys.readouterr().err.partition("make it: openrlhf-unlearn ")[2])
    assert cli.main([str(model) if word == "TRAINED_MODEL" else word for word in told]) == 0
    assert "names no data; the prompts are those of" in capsys.readouterr().out
    rates = Counter(read_table(run.evaluation("final"))["prompt_id"].to_pylist())
    assert rates == dict.fromkeys([row["prompt_id"] for row in read_table(run.prompts).to_pylist()], 32)
    assert cli.main(["diagnose", str(run), "--second", str(other), "-n", "2"]) == 1  # initial is missing still
    assert run.evaluation("by-other").exists()


def test_prompts_of_an_imported_run_take_a_template_where_one_is_given(tmp_path):
    said = [{"role": "system", "content": "s"}, {"role": "user", "content": "A{}"}]
    run, tokenizer = imported_run(tmp_path, said), build_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}:{{ m['content'] }};{% endfor %}"
    with pytest.raises(UserError, match="several messages; give --apply-chat-template"):
        own_prompts(run, DataConfig(None), tokenizer)
    prompts = own_prompts(run, DataConfig(None, apply_chat_template=True), tokenizer)
    assert [p.text for p in prompts] == [f"system:s;user:A{i};" for i in range(4)]
    assert [(p.id, p.label) for p in prompts] == [(prompt_id(f"q{i}", None), str(i)) for i in range(4)]


def test_an_imported_run_without_labels_is_told_what_it_can_do(tmp_path):
    run = imported_run(tmp_path, label=None)
    with pytest.raises(UserError, match="no prompt of .* has text and label; .*: openrlhf-unlearn import jsonl FILE"):
        own_prompts(run, DataConfig(None), build_tokenizer())


# Settings ----------------------------------------------------------------------------------------------------


def test_settings_come_from_the_run_unless_given(tmp_path, data):
    run, reward = RunDir(tmp_path / "run"), tmp_path / "r.py"
    reward.write_text("")
    args = {
        "data": {"prompt_dataset": str(data), "input_key": "q", "label_key": "a", "max_len": 99},
        "rollout": {"max_new_tokens": 7, "temperature": 0.5},
        "reward": {"remote_url": str(reward)},
        "unlearn": {"answer_format": "boxed"},
    }
    write_json(run.run_json, {"schema_version": 1, "args": args})
    own(run.run_json)
    words = ("--model", "m", "--run", run.path, "--tag", "x")
    settings = resolve(parsed(EvaluateOptions, *words), "m", run)
    assert (settings.data, settings.input_key, settings.label_key) == (str(data), "q", "a")
    assert (settings.max_len, settings.max_new_tokens, settings.temperature) == (99, 7, 0.5)
    assert (settings.reward, settings.answer_format, settings.top_p) == (str(reward), "boxed", 1.0)
    assert resolve(parsed(EvaluateOptions, *words, "--temperature", 1, "--input-key", "p"), "m", run).temperature == 1.0


def test_a_new_run_hands_its_settings_to_the_next_evaluation(tmp_path, data):
    run = RunDir(tmp_path / "run")
    first = settings_of(run, data, "--max-len", 64, "--input-key", "prompt")
    start_run(run, first)
    options = parsed(EvaluateOptions, "--model", "m", "--run", run.path, "--tag", "final")
    assert resolve(options, "m", RunDir.open(run.path)) == first


def test_what_is_positive_is_what_the_run_says_unless_told(tmp_path, data):
    """And our grader, which gives 0 and 1, is not asked with a threshold by which all its answers are alike."""
    run = RunDir(tmp_path)
    reward = tmp_path / "reward.py"
    reward.write_text(REWARD)
    write_json(run.run_json, {"schema_version": 1, "positive": {"threshold": 2.5}, "args": {}})
    words = ("--reward", reward)
    assert settings_of(run, data, *words).positive_above == 2.5
    assert settings_of(run, data, *words, "--positive-above", -1).positive_above == -1
    assert settings_of(RunDir(tmp_path / "new"), data, *words).positive_above == 0.5
    update_summary(run, "classify", {"threshold": 1.5})
    assert settings_of(run, data, *words).positive_above == 1.5, "what classify was told counts all samples"
    update_summary(run, "classify", {"threshold": None})
    with pytest.raises(UserError, match="counts as positive what is above 2.5: our grader gives 0 and 1"):
        settings_of(run, data)
    with pytest.raises(UserError, match="--positive-above 1: our grader"):
        settings_of(run, data, "--positive-above", 1)


def test_rewards_of_another_scale_are_counted_by_the_threshold(tmp_path, data):
    """In the table, for adaptive sampling, and by what reads the table; verdicts agree."""
    reward = tmp_path / "reward.py"
    reward.write_text("def reward_func(queries, prompts, labels):\n    return {'rewards': 3.0 - ('}' in queries[0])}\n")
    run = RunDir(tmp_path / "run")
    settings = settings_of(run, data, "--reward", reward, "--positive-above", 2.5)
    with reward_grader(str(reward), "auto", positive_above=2.5) as grade:
        found = grade(["p"] * 2, ["1", "1}"], ["1"] * 2)
    assert [tuple(item[:2]) for item in found] == [(3.0, "correct"), (2.0, "wrong")]
    parts = Parts(run, "initial", settings)
    parts.write([("a", "1", [1], *found[0]), ("a", "1}", [1], *found[1])])
    write_json(run.run_json, {"schema_version": 1, "positive": {"threshold": 1.5}, "args": {}})
    assert settings_of(run, data, "--reward", reward).positive_above == 2.5, "what is begun goes on as it began"
    run.run_json.unlink()
    assert parts.counts["a"] == Parts(run, "initial", settings).counts["a"] == (2, 1)
    parts.merge()
    assert Evaluations.read(run, "initial").hits().tolist() == [True, False]
    assert read_evaluation(run.evaluation("initial"), pa.array(["a"])).hit.tolist() == [True, False]
    with pytest.raises(UserError, match="made with --positive-above 2.5, not 0.5"):
        Parts(run, "initial", settings_of(run, data, "--reward", reward, "--positive-above", 0.5))


def test_missing_label_key_and_data(tmp_path, data):
    words = ("--model", "m", "--run", tmp_path, "--tag", "x")
    with pytest.raises(UserError, match="--data is missing"):
        resolve(parsed(EvaluateOptions, *words), "m", RunDir(tmp_path))
    with pytest.raises(UserError, match="--label-key is missing"):
        resolve(parsed(EvaluateOptions, *words, "--data", data), "m", RunDir(tmp_path))


def test_a_model_that_reads_less_is_told_before_an_engine_starts(tmp_path):
    config = pytest.importorskip("transformers").Qwen2Config(max_position_embeddings=128)
    config.save_pretrained(tmp_path / "short")
    config.rope_parameters = {
        "rope_type": "yarn",
        "factor": 4.0,
        "rope_theta": 1e4,
        "original_max_position_embeddings": 128,
    }
    config.save_pretrained(tmp_path / "stretched")
    check_length(EngineConfig(str(tmp_path / "short"), max_len=128))
    check_length(EngineConfig(str(tmp_path / "stretched"), max_len=300))
    check_length(EngineConfig(str(tmp_path / "no model"), max_len=300))
    with pytest.raises(UserError, match="reads 128 tokens, prompt and response together: give --max-len of at most"):
        check_length(EngineConfig(str(tmp_path / "short"), max_len=129))


def test_room_is_the_hosts_rule():
    config = EngineConfig("m", max_len=64, max_new_tokens=24)
    assert room(10, config) == (10, 24)
    assert room(50, config) == (40, 24)  # the end of the prompt is kept
    assert room(60, EngineConfig("m", max_len=64)) == (60, 4)


# Rewards ----------------------------------------------------------------------------------------------------


def test_the_users_reward_file(tmp_path):
    path = tmp_path / "reward.py"
    path.write_text(REWARD)
    with reward_grader(str(path), "auto") as grade:
        graded = grade(["A=", "B="], ["\\boxed{1}<eos>", "\\boxed{1}"], ["1", "1"])
    assert graded == [(1.0, "correct", None), (0.0, "wrong", None)]


@pytest.mark.parametrize(
    ("result", "graded"),
    [
        ("{'rewards': [1.0]}", (1.0, "correct")),
        ("{'rewards': -1}", (-1.0, "wrong")),
        ("{'rewards': [0.3], 'scores': [1]}", (1.0, "correct")),
        ("{'rewards': 0.9, 'scores': 0.0}", (0.0, "wrong")),
    ],
)
def test_rewards_are_read_as_in_training_and_scores_judge(tmp_path, result, graded):
    path = tmp_path / "reward.py"
    path.write_text(f"def reward_func(queries, prompts, labels):\n    return {result}\n")
    with reward_grader(str(path), "auto") as grade:
        assert grade(["p"], ["r"], ["x"]) == [(*graded, None)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "cannot be loaded: AttributeError"),
        ("def reward_func(**k):\n    raise ValueError('no')", "failed: ValueError: no"),
        ("def reward_func(**k):\n    return {'rewards': float('nan')}", "gave reward nan"),
    ],
)
def test_bad_reward_files(tmp_path, text, message):
    path = tmp_path / "reward.py"
    path.write_text(text)
    with pytest.raises(UserError, match=message), reward_grader(str(path), "auto") as grade:
        grade(["p"], ["r"], ["1"])


def test_our_grader_by_default():
    with reward_grader(None, "boxed", workers=1) as grade:
        graded = grade(["p"] * 3, ["\\boxed{1/2}", "\\boxed{3}", "nothing"], ["0.5"] * 3)
    assert [item[:2] for item in graded] == [(1.0, "correct"), (0.0, "wrong"), (0.0, "no_answer")]
    assert [item.reason.split(";")[0] for item in graded][:2] == ["box", "box"] and graded[2].reason


def test_a_reward_that_is_not_here_is_told_before_anything_is_written(tmp_path, data, capsys):
    run = tmp_path / "run"
    flags = ["--run", str(run), "--tag", "initial", "--model", "m", "--data", str(data), "--label-key", "label"]
    assert cli.main(["evaluate", *flags, "--reward", "gone.py"]) == 1
    assert "--reward gone.py: no such file here" in capsys.readouterr().err
    assert not run.exists()
    write_json(run / "run.json", {"schema_version": 1, "args": {"reward": {"remote_url": "examples/gone.py"}}})
    assert cli.main(["evaluate", *flags]) == 1
    assert "was trained with the reward examples/gone.py" in capsys.readouterr().err
    assert not (run / "evaluations").exists()


# Parts and rounds, with a pool that tosses coins instead of a model ---


def graded(prompts, responses, labels):
    return [Graded(float(text == "1"), "correct" if text == "1" else "wrong") for text in responses]


def sample_all(run, settings, plan, coins, chunk=16):
    tokenizer = build_tokenizer()
    prompts = [Prompt(prompt_id(f"A{i}=", "1"), f"A{i}=", "1", "t") for i in range(len(coins.rates))]
    parts = Parts(run, "initial", settings)
    Sampling(prompts, tokenizer, graded, parts, plan, max_len=64).run(coins, chunk)
    return parts


@pytest.mark.parametrize("adaptive", [None, 0.05])
def test_a_stopped_evaluation_ends_with_the_same_sizes(tmp_path, data, adaptive):
    run = RunDir(tmp_path)
    settings = settings_of(run, data)
    plan = Plan(32, adaptive)
    rates = [0.0, 0.0, 0.03, 0.1, 0.5, 0.9]
    with pytest.raises(KeyboardInterrupt):
        sample_all(run, settings, plan, Coins(rates, chunks=3))
    assert 1 <= len(list(run.evaluation_parts("initial").glob("part-*"))) <= 3
    parts = sample_all(run, settings, plan, Coins(rates, seed=1))
    parts.merge()
    table = read_table(run.evaluation("initial"))
    rows = Counter(table.column("prompt_id").to_pylist())
    numbers = {(row["prompt_id"], row["sample"]) for row in table.to_pylist()}
    assert len(numbers) == table.num_rows == sum(n for n, _ in parts.counts.values())
    if adaptive is None:
        assert set(rows.values()) == {32}
    else:
        assert rows[prompt_id("A5=", "1")] <= 8 and max(rows.values()) <= 32
        assert sum(rows.values()) < 0.75 * 6 * 32
    row = table.to_pylist()[0]
    assert row["response_tokens"] in ([2], [3]) and row["n_tokens"] == 1


def test_other_settings_are_refused_on_resume(tmp_path, data):
    run = RunDir(tmp_path)
    Parts(run, "initial", settings_of(run, data)).write([("a", "text", [1], 1.0, "correct", None)])
    with pytest.raises(UserError, match=r"made with --temperature 1.0, not 0.7; bring the same, or delete"):
        Parts(run, "initial", settings_of(run, data, "--temperature", 0.7))


def test_an_evaluation_grows(tmp_path, data):
    run, rates = RunDir(tmp_path), [0.0, 0.5]
    small, large = settings_of(run, data, "-n", 4), settings_of(run, data, "-n", 16)
    sample_all(run, small, Plan(4), Coins(rates)).merge()
    run.remove_parts("initial")
    before = read_table(run.evaluation("initial")).to_pylist()
    assert not grow(run, "initial", small, asdict(small)) and not grow(run, "initial", small, asdict(large))
    with pytest.raises(UserError, match="made with --temperature 1.0, not 0.7; choose another --tag"):
        grow(run, "initial", settings_of(run, data, "-n", 16, "--temperature", 0.7), asdict(small))
    assert not run.evaluation_parts("initial").exists()
    with pytest.raises(KeyboardInterrupt):
        assert grow(run, "initial", large, asdict(small))
        sample_all(run, large, Plan(16), Coins(rates, seed=1, chunks=1), chunk=8)
    assert read_table(run.evaluation("initial")).to_pylist() == before  # until the larger one is whole
    assert grow(run, "initial", large, asdict(small))
    sample_all(run, large, Plan(16), Coins(rates, seed=2)).merge()
    rows = read_table(run.evaluation("initial")).to_pylist()
    assert [row for row in rows if row["sample"] < 4] == before
    assert sorted(row["sample"] for row in rows) == sorted(2 * list(range(16)))


def test_chunks_hold_about_as_many_responses_as_wanted():
    requests = [SimpleNamespace(n=n) for n in (4, 4, 4, 20, 1)]
    assert [[r.n for r in chunk] for chunk in _chunks(requests, 8)] == [[4, 4], [4, 20], [1]]


def test_prompt_longer_than_the_model_allows(tmp_path, data):
    prompts = [Prompt("x", "A" * 70, "1", "t")]
    with pytest.raises(UserError, match="has 70 tokens, no room is left in --max-len 64"):
        Sampling(
            prompts, build_tokenizer(), graded, Parts(RunDir(tmp_path), "i", settings_of(tmp_path, data)), None, 64
        )


# The real engine ----------------------------------------------------------------------------------------------------


def stop(words: list[str], log: Path, when) -> None:
    """Start an evaluation and end it by SIGTERM; what it has started is gone with it."""
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "openrlhf_unlearn.cli", *words], stdout=out, stderr=out)
    while not when():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    assert "VLLM::Worker" not in [child.name() for child in children], "an engine computes where it schedules"
    process.terminate()
    assert process.wait(60) == 143, log.read_text()
    assert children and not psutil.wait_procs(children, timeout=10)[1]
    assert "Traceback" not in log.read_text()


def command(data, world, run, tag, *words) -> list[str]:
    named = ["--model", world / "model", "--run", run, "--tag", tag, "--data", data, "--answer-format", "boxed"]
    flags = ["--input-key", "prompt", "--label-key", "label", "--max-len", 64, "--max-new-tokens", 24]
    return list(map(str, ("evaluate", *named, *flags, *words)))


@pytest.mark.slow
def test_an_evaluation_that_was_stopped_goes_on_and_agrees_with_the_planted_truth(world, tmp_path, capsys):
    """Its progress moves before the first part is there; SIGTERM leaves nothing behind, and what was sampled stays.

    Stopped while two engines sample, it goes on with one.
    """
    run, log = RunDir(tmp_path / "run"), tmp_path / "log"
    data = some_prompts(world, tmp_path, every=3)
    words = command(data, world, run, "initial", "-n", 16, "--chunk", 512, "--engines", 1)
    stop([*words, "--engines", "2"], log, lambda: list(run.evaluation_parts("initial").glob("part-*.parquet")))
    assert len({int(n) for n in re.findall(r"(\d+)/\d+ ", log.read_text())}) > 3, "progress moves with samples"
    before = len(list(run.evaluation_parts("initial").glob("part-*.parquet")))
    assert not run.evaluation("initial").exists()
    assert cli.main([*words, "--temperature", "0.5"]) == 1
    assert cli.main([*command(data, world, run, "long", "-n", 1), "--max-len", "300"]) == 1
    assert "reads 128 tokens, prompt and response together: give --max-len of at most" in capsys.readouterr().err
    assert cli.main(words) == 0
    about = read_json(run.evaluation_json("initial"))
    assert about["samples"] == 107 * 16 and about["samples_drawn"] <= 107 * 16 - 500 * before
    assert not run.evaluation_parts("initial").exists()
    table = read_table(run.evaluation("initial")).to_pandas()
    assert (table.groupby("prompt_id")["sample"].apply(lambda s: sorted(s) == list(range(16)))).all()
    planted = read_json(world / "world.json")["initial_pass_rate"]
    truth = read_table(world / "truth.parquet").to_pandas()
    rates = table.groupby("prompt_id")["reward"].mean().rename("rate")
    measured = truth.join(rates, on="prompt_id").groupby("group")["rate"].mean()
    assert measured.to_dict() == pytest.approx(planted, abs=0.1)
    first = table.iloc[0]
    tokenizer = build_tokenizer()
    assert tokenizer.decode(list(first.response_tokens)) == first.response
    assert (np.array([text.endswith("<eos>") for text in table.response]) | (table.n_tokens == 24)).all()
    assert cli.main(words) == 0  # there already
    assert cli.main([*words, "-n", "8"]) == 1  # made with other settings


@pytest.mark.slow
@pytest.mark.long("two engines: the test before; adaptive: with coins, and test_adaptive.py")
def test_adaptive_evaluation_with_two_engines(world, tmp_path):
    run = RunDir(tmp_path / "run")
    data = some_prompts(world, tmp_path, every=3)
    assert cli.main(command(data, world, run, "initial", "--adaptive", "--engines", 2)) == 0
    about = read_json(run.evaluation_json("initial"))
    assert about["prompts"] == 107 and about["samples"] <= 107 * 18
    planted = read_json(world / "world.json")["initial_pass_rate"]
    table = read_table(run.evaluation("initial")).to_pandas()
    truth = read_table(world / "truth.parquet").to_pandas().set_index("prompt_id")["group"]
    easy = table.groupby("prompt_id")["reward"].mean() >= 0.1
    assert easy[truth[easy.index] == "easy"].mean() > 0.9 and planted["easy"] > 0.4
    assert not easy[truth[easy.index] == "no_reward"].any()
