"""Files of other frameworks, as their own writers lay them out, become runs that classify like ours."""

import csv
import json
import os

import numpy as np
import pandas as pd
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.formats.base import ImportedRollout
from openrlhf_unlearn.exchange.prompts import Prompts
from openrlhf_unlearn.labels.classify import classify
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, read_json, read_table
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts

RATES = {"easy": (0.6, 1.0), "learnable": (0.03, 0.9), "unlearnable": (0.03, 0.0), "no_reward": (0.0, 0.0)}


def command(*words) -> int:
    return cli.main([str(word) for word in words])


def samples(which: int, n: int = 32) -> list[tuple[int, int]]:
    """(question, reward) of n samples of each of four questions, in the order of RATES; which: before 0, after 1."""
    rows = []
    for question, rates in enumerate(RATES.values()):
        positives = round(rates[which] * n)
        rows += [(question, int(i < positives)) for i in range(n)]
    return rows


def training(step: int) -> list[tuple[int, int]]:
    return [(question, int(question < 3 and i == step)) for question in range(4) for i in range(8)]


def groups(run) -> dict[str, str]:
    table = classify([run]).table
    prompts = {row["prompt_id"]: row for row in read_table(RunDir(run).prompts).to_pylist()}
    return {prompts[row["prompt_id"]]["prompt"]: row["group"] for row in table.to_pylist()}


EXPECTED = {f"question {i}": name for i, name in enumerate(RATES)}


def write_jsonl(path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def verl_row(question: int, reward: int, step: int) -> dict:
    """A line of verl's dumps: RayPPOTrainer._write_generations of verl 0.9.1."""
    return {
        "input": f"question {question}",
        "output": f"answer {reward}",
        "gts": str(question),
        "score": float(reward),
        "step": step,
        "acc": bool(reward),
    }


def test_verl(tmp_path):
    for step in (2, 10, 1):
        write_jsonl(tmp_path / "rollouts" / f"{step}.jsonl", [verl_row(q, r, step) for q, r in training(step % 3)])
    write_jsonl(tmp_path / "val" / "0.jsonl", [verl_row(q, r, 0) for q, r in samples(0)])
    write_jsonl(tmp_path / "val" / "10.jsonl", [verl_row(q, r, 10) for q, r in samples(1)])
    run = tmp_path / "run"
    assert command("import", "verl", tmp_path / "rollouts", "--run", run, "--save-rollouts", 2) == 0
    assert command("import", "verl", tmp_path / "val" / "0.jsonl", "--run", run, "--tag", "initial") == 0
    assert command("import", "verl", tmp_path / "val" / "10.jsonl", "--run", run, "--tag", "final") == 0
    assert groups(run) == EXPECTED
    imported = RunDir(run)
    assert imported.steps() == [1, 2, 10]
    assert TrainingRollouts.read(imported).arrow.num_rows == 3 * 4 * 2
    row = Rewards.read(imported).arrow.to_pylist()[0]
    assert (row["prompt_id"], row["n"], row["n_positive"]) == (prompt_id("question 0", "0"), 8, 1)
    assert command("import", "verl", tmp_path / "rollouts", "--run", run) == 1  # never twice into one run


def trl_frame(rows, step: int) -> pd.DataFrame:
    """The table that TRL 1.16.0's GRPOTrainer.log writes: the reward is named after the user's function."""
    return pd.DataFrame(
        {
            "step": [step] * len(rows),
            "prompt": [[{"role": "user", "content": f"question {q}"}] for q, _ in rows],
            "completion": [[{"role": "assistant", "content": f"answer {r}"}] for _, r in rows],
            "accuracy_reward": [float(r) for _, r in rows],
            "advantage": [0.0] * len(rows),
        }
    )


def test_trl(tmp_path):
    folder = tmp_path / "out" / "completions"
    folder.mkdir(parents=True)
    for step in (1, 2):
        trl_frame(training(step), step).to_parquet(folder / f"completions_{step:05d}.parquet")
    for name, which in (("before", 0), ("after", 1)):
        trl_frame(samples(which), 0).to_parquet(tmp_path / f"{name}.parquet")
    run = tmp_path / "run"
    assert command("import", "trl", tmp_path / "out", "--run", run) == 0
    assert command("import", "trl", tmp_path / "before.parquet", "--run", run, "--tag", "initial") == 0
    assert command("import", "trl", tmp_path / "after.parquet", "--run", run, "--tag", "final") == 0
    assert groups(run) == EXPECTED


def test_trl_with_two_rewards_asks_which(tmp_path, capsys):
    frame = trl_frame(training(1), 1)
    frame["format_reward"] = 1.0
    frame.to_parquet(tmp_path / "completions_00001.parquet")
    assert command("import", "trl", tmp_path, "--run", tmp_path / "run") == 1
    assert "accuracy_reward, format_reward could each be the reward" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    columns = ("--columns", "reward=accuracy_reward")
    assert command("import", "trl", tmp_path, "--run", tmp_path / "run", *columns) == 0


def test_prime_rl(tmp_path):
    def row(question, reward):
        messages = [{"role": "user", "content": f"question {question}"}]
        answer = [{"role": "assistant", "content": str(reward)}]
        return {
            "example_id": question,
            "prompt": messages,
            "completion": answer,
            "answer": "7",
            "reward": float(reward),
            "task": "math",
        }

    for step in (1, 2):
        write_jsonl(tmp_path / f"rollouts/step_{step}/train_rollouts.jsonl", [row(*item) for item in training(step)])
    for tag, which in (("initial", 0), ("final", 1)):
        write_jsonl(tmp_path / f"{tag}.jsonl", [row(*item) for item in samples(which)])
    run = tmp_path / "run"
    assert command("import", "prime-rl", tmp_path / "rollouts", "--run", run) == 0
    for tag in ("initial", "final"):
        assert command("import", "prime-rl", tmp_path / f"{tag}.jsonl", "--run", run, "--tag", tag) == 0
    assert groups(run) == EXPECTED


def paper_result(question: int, reward: int) -> dict:
    return {
        "question_id": question,
        "question": f"question {question}",
        "response": "r",
        "verification": {"score": reward, "extracted_answer": "1", "is_correct": bool(reward)},
    }


def write_paper(folder) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / "prompt_reward_stats.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["step", "prompt_id", "mean_reward", "std_reward", "n", "processed"])
        for step in (1, 2):
            rewards = np.array(training(step))
            for question in range(4):
                mine = rewards[rewards[:, 0] == question, 1]
                writer.writerow([step, question, mine.mean(), mine.std(), 8, False])
    for tag, which in (("initial", 0), ("final", 1)):
        rows = [paper_result(*item) for item in samples(which)]
        (folder / f"{tag}_0.json").write_text(json.dumps(rows[:64]))
        (folder / f"{tag}_1.json").write_text(json.dumps(rows[64:]))


@pytest.mark.parametrize("csv_first", [True, False])
def test_paper_in_any_order_gives_the_same_ids(tmp_path, csv_first):
    write_paper(tmp_path)
    run = tmp_path / "run"
    imports = [("prompt_reward_stats.csv",), ("initial_*.json", "--tag", "initial"), ("final_*.json", "--tag", "final")]
    for name, *rest in imports if csv_first else imports[::-1]:
        assert command("import", "paper", tmp_path / name, "--run", run, *rest) == 0
    assert groups(run) == EXPECTED
    assert {row["prompt_id"] for row in read_table(RunDir(run).prompts).to_pylist()} == {
        prompt_id(str(i), None) for i in range(4)
    }


def test_paper_files_come_back_and_give_the_same_labels(tmp_path):
    write_paper(tmp_path / "in")
    for run, folder in (("run", "in"), ("again", "out")):
        names = ("initial_*.json", "final_*.json") if folder == "in" else ("result_initial.json", "result_final.json")
        for name, tag in zip(names, ("initial", "final"), strict=True):
            assert command("import", "paper", tmp_path / folder / name, "--run", tmp_path / run, "--tag", tag) == 0
        assert command("import", "paper", tmp_path / folder / "prompt_reward_stats.csv", "--run", tmp_path / run) == 0
        assert command("classify", tmp_path / run, "--rule", "paper-code") == 0
        if run == "run":
            out = ("--format", "verl-csv", "--output", tmp_path / "out")
            assert command("export", tmp_path / run, *out) == 0
    lists = {name: read_json(tmp_path / "out" / f"prompts_{name}.json") for name in RATES}
    assert lists == {name: [i] for i, name in enumerate(RATES)}
    tables = [read_table(RunDir(tmp_path / run).learnability) for run in ("run", "again")]
    assert tables[0].equals(tables[1])


def test_any_jsonl_by_named_columns(tmp_path):
    for tag, which in (("initial", 0), ("final", 1)):
        rows = [{"q": {"text": f"question {q}"}, "out": "", "ok": r, "uid": f"u{q}"} for q, r in samples(which)]
        write_jsonl(tmp_path / f"{tag}.jsonl", rows)
        columns = "prompt=q.text,response=out,reward=ok,id=uid"
        assert (
            command(
                "import",
                "jsonl",
                tmp_path / f"{tag}.jsonl",
                "--run",
                tmp_path / "run",
                "--tag",
                tag,
                "--columns",
                columns,
            )
            == 0
        )
    # Nobody watched the training: a prompt can be unlearnable, never "no reward".
    assert groups(tmp_path / "run") == {**EXPECTED, "question 3": "unlearnable"}
    row = read_table(RunDir(tmp_path / "run").prompts).to_pylist()[1]
    assert row["source_id"] == "u1" and row["prompt_id"] == prompt_id("u1", None)


BAD = {
    "truncated": ('{"prompt": "a", "reward": 1}\n{"prompt": "b", "rew', "line 2 is not JSON"),
    "nan": ('{"prompt": "a", "reward": NaN}\n', "line 1 has the reward nan"),
    "text": ('{"prompt": "a", "reward": "good"}\n', "line 1 has the reward 'good', which is no number"),
    "missing": ('{"question": "a", "reward": 1}\n', "line 1 has no column 'prompt'; it has question, reward"),
    "graded": ('{"prompt": "a", "reward": 0.3}\n', "rewards other than 0 and 1 (such as 0.3)"),
    "list": ("[1, 2]\n", "is no object"),
    "empty": ("\n", "no rollouts"),
    "latin": (b'{"prompt": "\xe4", "reward": 1}', "is no UTF-8 text"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_told_in_one_line_and_nothing_is_written(tmp_path, capsys, name):
    text, message = BAD[name]
    (tmp_path / "f.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    run = tmp_path / "run"
    assert command("import", "jsonl", tmp_path / "f.jsonl", "--run", run, "--tag", "initial") == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not run.exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [('"step": "x", "uid": 1', "line 1 has the step 'x'"), ('"step": 1, "uid": null', "line 1 has no value in 'uid'")],
)
def test_bad_steps_and_ids(tmp_path, capsys, row, message):
    (tmp_path / "f.jsonl").write_text(f'{{"prompt": "a", "reward": 1, {row}}}\n')
    columns = ("--columns", "step=step,id=uid")
    assert command("import", "jsonl", tmp_path / "f.jsonl", "--run", tmp_path / "run", *columns) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_bad_csv(tmp_path, capsys):
    path = tmp_path / "prompt_reward_stats.csv"
    path.write_text("step,prompt_id,mean_reward,std_reward,n,processed\n1,0,0.5,0.1,8,False\n2,0,0.5")
    assert command("import", "paper", path, "--run", tmp_path / "run") == 1
    assert "line 3 cannot be read" in capsys.readouterr().err
    path.write_text("step,id\n1,0\n")
    assert command("import", "paper", path, "--run", tmp_path / "run") == 1
    assert "no column 'prompt_id'; it has step, id" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_has_no_prompt_is_not_the_prompt_None(tmp_path):
    prompts = Prompts(RunDir(tmp_path))
    with pytest.raises(UserError, match="a rollout from verl has neither a prompt nor an id"):
        prompts.add(ImportedRollout(None, "x", 1.0), "verl")
    assert not prompts.rows


def test_bad_columns_flag(tmp_path):
    (tmp_path / "f.jsonl").write_text('{"prompt": "a", "reward": 1}\n')
    assert command("import", "jsonl", tmp_path / "f.jsonl", "--run", tmp_path / "r", "--columns", "colour=x") == 2


def test_real_verl_writer(tmp_path):
    trainer = pytest.importorskip("verl.trainer.ppo.ray_trainer")
    rows = training(1)
    trainer.RayPPOTrainer._write_generations(
        [f"question {q}" for q, _ in rows],
        [f"answer {r}" for _, r in rows],
        [str(q) for q, _ in rows],
        [float(r) for _, r in rows],
        {"acc": [bool(r) for _, r in rows]},
        str(tmp_path / "dump"),
        5,
    )
    assert command("import", "verl", tmp_path / "dump", "--run", tmp_path / "run") == 0
    rewards = Rewards.read(RunDir(tmp_path / "run")).arrow.to_pylist()
    assert [(row["step"], row["n"], row["n_positive"]) for row in rewards] == [(5, 8, 1)] * 3 + [(5, 8, 0)]


@pytest.mark.slow
def test_real_trl_trainer(tmp_path, world):
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    prompts = [json.loads(line) for line in (world / "train.jsonl").open()][:8]

    def boxed(completions, label, **kwargs):
        return [float(f"\\boxed{{{gold}}}" in text) for text, gold in zip(completions, label, strict=True)]

    config = trl.GRPOConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=2,
        per_device_train_batch_size=32,
        num_generations=8,
        max_completion_length=16,
        log_completions=True,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        save_strategy="no",
    )
    trainer = trl.GRPOTrainer(str(world / "model"), boxed, args=config, train_dataset=Dataset.from_list(prompts))
    trainer.train()
    assert command("import", "trl", tmp_path / "out", "--run", tmp_path / "run") == 0
    rewards = Rewards.read(RunDir(tmp_path / "run")).arrow.to_pylist()
    assert {row["n"] for row in rewards} == {8} and len(rewards) == 2 * 4
    known = {row["prompt"] for row in read_table(RunDir(tmp_path / "run").prompts).to_pylist()}
    assert known <= {row["prompt"] for row in prompts}


@pytest.mark.parametrize("words", [(), ("--save-rollouts", "2"), ("--tag", "initial", "--step", "1")])
@pytest.mark.parametrize("after", range(9))
def test_an_import_stopped_between_any_two_files_goes_on_with_the_same_command(tmp_path, monkeypatch, words, after):
    for step in (1, 2, 3):
        write_jsonl(tmp_path / "dump" / f"{step}.jsonl", [verl_row(*row, step) for row in training(step)])
    replace, left = os.replace, iter(range(after))

    def stopped(source, target):
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    line = ("import", "verl", tmp_path / "dump", "--run", tmp_path / "run", *words)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stopped)
        code = command(*line)
    run = RunDir(tmp_path / "run")
    if code == 130:
        assert not run.steps() and not run.evaluation_tags() and not list(run.path.glob(".*"))
        assert command(*line) == 0
    assert (run.steps(), run.evaluation_tags()) == (([], ["initial"]) if "--tag" in words else ([1, 2, 3], []))


def test_an_import_into_folders_that_are_there_takes_their_files_along(tmp_path):
    """One is a link to another place, one holds what a user has put there."""
    write_jsonl(tmp_path / "dump" / "1.jsonl", [verl_row(*row, 1) for row in training(1)])
    (tmp_path / "disk").mkdir()
    assert command("import", "verl", tmp_path / "dump", "--run", tmp_path / "run", "--tag", "initial") == 0
    (tmp_path / "run" / "rewards").symlink_to(tmp_path / "disk")
    (tmp_path / "run" / "rollouts").mkdir()
    (tmp_path / "run" / "rollouts" / "notes.txt").write_text("mine")
    assert command("import", "verl", tmp_path / "dump", "--run", tmp_path / "run", "--save-rollouts", "1") == 0
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["step-000001.parquet"]
    assert {path.name for path in (tmp_path / "run" / "rollouts").iterdir()} == {"notes.txt", "step-000001.parquet"}
    assert RunDir(tmp_path / "run").evaluation_tags() == ["initial"]
