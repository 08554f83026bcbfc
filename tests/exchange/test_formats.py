"""Every framework's files, small and as its writer lays them out, become the counts that are in them."""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from openrlhf_unlearn.exchange.formats import FORMATS, guess
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import TrainingRollouts
from tests.exchange.cli import counts, evaluated, imported, prompts, write_lines

HITS = {0: [1, 0, 0, 1], 1: [0, 0, 0, 0], 2: [1, 1, 1, 0]}  # question: rewards of a step; 5 of 12 are positive
SAMPLES = [(question, reward) for question, rewards in HITS.items() for reward in rewards]
EXPECTED = (3, 12, 5)


def user(question: int) -> list[dict]:
    return [{"role": "user", "content": f"question {question}"}]


def trace(question: int, reward: float | None, **more) -> dict:
    nodes = [
        {"parent": None, "message": user(question)[0]},
        {"parent": 0, "message": {"role": "assistant", "content": "call"}},
        {"parent": 1, "message": {"role": "tool", "content": "4"}},
        {"parent": 0, "message": {"role": "assistant", "content": "a side branch"}},
        {"parent": 2, "message": {"role": "assistant", "content": "so 4"}},
    ]
    rewards = {} if reward is None else {"right": {"score": reward, "weight": 1.0}, "form": {"score": 1, "weight": 0.0}}
    data = {"idx": question, "answer": str(question)}
    return {"id": f"t{question}", "task": {"data": data}, "nodes": nodes, "rewards": rewards, "ok": True, **more}


def episode(question: int, reward: float, step: int = 1, kind: str = "train", name: str = "e") -> dict:
    """Two agents' traces, each of which has half of the reward."""
    half = {"right": {"score": reward, "weight": 0.5}}
    traces = [{**trace(question, None), "rewards": half, "id": f"{name}-{i}"} for i in (0, 1)]
    work = {"type": kind, "step": step}
    task = {"key": f"key {question}", "data": {"answer": str(question)}}
    return {"id": name, "env": {"name": "math"}, "task": task, "traces": traces, "ok": True, "run": {"work": work}}


def areal(folder: Path) -> None:
    for question, rewards in HITS.items():
        rows = [
            {
                "task_id": 70 + question,
                "sample_idx": i,
                "reward": r,
                "prompt": f"question {question}",
                "completion": "c",
            }
            for i, r in enumerate(rewards)
        ]
        write_lines(folder / "rollout" / "1" / f"{70 + question}.jsonl", rows)


def trl(folder: Path) -> None:
    frame = {
        "step": 1,
        "prompt": [user(q) for q, _ in SAMPLES],
        "completion": [[{"role": "assistant", "content": "c"}]] * 12,
        "my_reward": [float(r) for _, r in SAMPLES],
        "advantage": 0.5,
    }
    (folder / "completions").mkdir(parents=True)
    pd.DataFrame(frame).to_parquet(folder / "completions" / "completions_00001.parquet")


def slime(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    samples = [
        {"prompt": f"question {q}", "response": "r", "reward": float(r), "label": str(q), "status": "completed"}
        for q, r in SAMPLES
    ]
    folder.mkdir()
    torch.save({"rollout_id": 1, "samples": samples}, folder / "1.pt")
    torch.save({"rollout_id": 1, "samples": samples[:1]}, folder / "eval_1.pt")


def tinker(folder: Path) -> None:
    rows = []
    for question, reward in SAMPLES:
        trace = {
            "prompt": {"type": "conversation", "messages": user(question)},
            "policy_response": {"type": "conversation", "messages": [{"role": "assistant", "content": "c"}]},
            "reward": {"reference_answer": str(question), "correct": bool(reward)},
        }
        steps = [{"step_idx": 0, "metrics": {"correct": float(reward), "format": 0.0}, "trace": trace}]
        shaped = {"total_reward": reward - 0.1, "final_reward": 0.0}
        place = {"split": "train", "iteration": 1, "group_idx": question, "traj_idx": 0}
        rows.append({**place, **shaped, "steps": steps})
    write_lines(folder / "iteration_000001" / "train_rollout_summaries.jsonl", rows)


def lines(name: str, row):
    return lambda folder: write_lines(folder / name, [row(*sample) for sample in SAMPLES])


def roll(folder: Path) -> None:
    columns = {
        "id": ["7"] * 12,
        "prompt": [f"question {q}" for q, _ in SAMPLES],
        "ground_truth": [str(q) for q, _ in SAMPLES],
        "responses": ["r"] * 12,
        "scores": [float(r) for _, r in SAMPLES],
        "global_step": [1] * 12,
    }
    write_lines(folder / "rollout_dump_data.step_1.jsonl", [columns])


TRAINING = {
    "verl": lines(
        "1.jsonl", lambda q, r: {"input": f"question {q}", "output": "o", "gts": str(q), "score": float(r), "step": 1}
    ),
    "trl": trl,
    "prime-rl": lines("rollouts/step_1/train/all/traces.jsonl", trace),
    "nemo-rl": lines(
        "exp_001/train_data_step1.jsonl", lambda q, r: {"content": [[f"question {q}", "a"]], "rewards": [r], "idx": 0}
    ),
    "roll": roll,
    "areal": areal,
    "slime": slime,
    "open-instruct": lines(
        "run_rollouts_000000.jsonl",
        lambda q, r: {
            "prompt_tokens": [1, q],
            "response_tokens": [3],
            "reward": 10.0 * r,
            "step": 1,
            "prompt_idx": 0,
            "ground_truth": str(q),
        },
    ),
    "tinker": tinker,
}


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("how", ["named", "auto"])
def test_training_rollouts(tmp_path, name, how, capsys):
    TRAINING[name](tmp_path / "in")
    words = ("--save-rollouts", 2)
    assert imported(name if how == "named" else "auto", tmp_path / "in", tmp_path / "run", *words) == 0
    assert counts(tmp_path / "run") == {1: EXPECTED}
    kept = TrainingRollouts.read(RunDir(tmp_path / "run")).arrow.to_pylist()
    assert len(kept) == 6 and sum(row["positive"] for row in kept) == sum(sum(r[:2]) for r in HITS.values())
    assert how == "named" or f"taken for {name}" in capsys.readouterr().out


EVALUATIONS = {
    "prime-rl": lines("rollouts/step_4/eval/all/traces.jsonl", trace),
    "nemo-rl": lines(
        "val_data_step4.jsonl",
        lambda q, r: {"content": [[*user(q), {"role": "assistant", "content": "a"}]], "rewards": [r], "idx": 0},
    ),
    "skyrl": lines(
        "dumped_evals/global_step_4_evals/aime.jsonl",
        lambda q, r: {
            "input_prompt": f"question {q}",
            "output_response": "o",
            "score": [0.0, float(r)],
            "env_extras": {"reward_model": {"ground_truth": str(q)}},
        },
    ),
    "lm-eval": lines(
        "model/samples_math_2026.jsonl",
        lambda q, r: (
            {"doc_id": q, "doc": {}, "target": str(q), "resps": [["a"]], "filtered_resps": ["a"]}
            | {"arguments": {"gen_args_0": {"arg_0": f"question {q}"}}, "exact_match": float(r)}
        ),
    ),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_evaluations(tmp_path, name):
    EVALUATIONS[name](tmp_path / "in")
    assert imported(name, tmp_path / "in", tmp_path / "run", "--tag", "final") == 0
    rows = evaluated(tmp_path / "run", "final")
    assert (len(prompts(tmp_path / "run")), len(rows), sum(row["positive"] for row in rows)) == EXPECTED


@pytest.mark.parametrize("archive", [True, False])
def test_inspect_logs(tmp_path, archive):
    samples = [
        {
            "id": q,
            "epoch": e,
            "input": [{"role": "system", "content": "s"}, {**user(q)[0], "id": f"m{e}"}],
            "target": [str(q)],
            "output": {"completion": "c"},
        }
        | {"scores": {"match": {"value": "CI"[1 - r], "answer": "c"}}}
        for e, (q, r) in enumerate(SAMPLES)
    ]
    samples.append({**samples[0], "epoch": 99, "error": {"message": "lost"}, "scores": None})
    if archive:
        with zipfile.ZipFile(tmp_path / "log.eval", "w") as file:
            file.writestr("header.json", json.dumps({"version": 2, "eval": {}}))
            file.writestr("summaries.json", json.dumps(samples[:1]))
            for sample in samples:
                file.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    else:
        (tmp_path / "log.json").write_text(json.dumps({"version": 2, "eval": {}, "samples": samples}, indent=1))
    source = tmp_path / ("log.eval" if archive else "log.json")
    assert guess(str(source)) == "inspect"
    assert imported("inspect", source, tmp_path / "run", "--tag", "final") == 0
    rows = evaluated(tmp_path / "run", "final")
    assert (len(prompts(tmp_path / "run")), len(rows), sum(row["positive"] for row in rows)) == EXPECTED


def test_evaluations_only_are_no_training(tmp_path, capsys):
    EVALUATIONS["skyrl"](tmp_path / "in")
    assert imported("skyrl", tmp_path / "in", tmp_path / "run") == 2
    assert "skyrl writes evaluations, not training rollouts" in capsys.readouterr().err


def test_prime_rl_says_what_was_sampled_and_what_trained(tmp_path):
    step = tmp_path / "rollouts" / "step_2" / "train"
    write_lines(step / "all" / "traces.jsonl", [episode(q, r) for q, r in SAMPLES])
    write_lines(step / "effective" / "traces.jsonl", [episode(q, r) for q, r in SAMPLES if q != 1])
    assert imported("prime-rl", tmp_path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {2: EXPECTED}  # the folder's step, whatever the episodes say
    assert counts(tmp_path / "run", processed=True) == {2: (2, 8, 5)}
    assert {row["source_id"] for row in prompts(tmp_path / "run")} == {"key 0", "key 1", "key 2"}


@pytest.mark.parametrize("chunked", [True, False])
def test_prime_rl_stream_and_its_annotations(tmp_path, chunked):
    """Every episode stands there once; beside it stands in which step it trained, if it did."""
    traces = tmp_path / "monitors" / "file" / "traces"
    rows = [episode(q, r, step=3, name=f"e{i}") for i, (q, r) in enumerate(SAMPLES)]
    rows += [episode(9, float(step == 3), step=step, kind="eval") for step in (0, 3)]
    if chunked:
        write_lines(traces / "stream" / "00000.jsonl.zst", rows[:5], "zstd")
        write_lines(traces / "stream" / "00001.jsonl", rows[5:])
    else:
        write_lines(traces / "stream.jsonl", rows)
    write_lines(traces / "stream.index.jsonl", [{"id": "e0", "offset": 0}])
    shipped = [{"trace_id": f"e{i}-0", "info": {"effective": True, "ship": {"step": 3}}} for i in range(4)]
    name = "annotations/orch/00000.jsonl" if chunked else "annotations/orch.jsonl"
    write_lines(traces / name, shipped)
    write_lines(traces / "annotations" / "orch.index.jsonl", [{"trace_id": "e9-0", "offset": 0}])
    assert imported("prime-rl", tmp_path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {3: EXPECTED}
    assert counts(tmp_path / "run", processed=True) == {3: (1, 4, 2)}
    assert guess(str(tmp_path)) == "prime-rl"
    assert imported("prime-rl", tmp_path, tmp_path / "run", "--tag", "late") == 1  # of which step?
    assert imported("prime-rl", tmp_path, tmp_path / "run", "--tag", "late", "--step", 3) == 0
    assert [row["reward"] for row in evaluated(tmp_path / "run", "late")] == [1.0]


def test_prime_rl_stream_of_a_running_trainer(tmp_path):
    """Kind and step stand in the traces where the episode does not name its work; the last line is half written."""
    traces = tmp_path / "monitors" / "file" / "traces"
    info = {"kind": "train", "dispatch": {"step": 3}, "arrival": {"step": 4}}
    rows = [{"id": f"e{i}", "traces": [trace(q, r, info=info)]} for i, (q, r) in enumerate(SAMPLES)]
    rows.append({"id": "e", "traces": [trace(0, 1.0, info={**info, "kind": "eval"})]})
    path = write_lines(traces / "stream" / "00000.jsonl", rows)
    path.write_bytes(path.read_bytes() + b'{"id": "half')
    assert imported("prime-rl", tmp_path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {3: EXPECTED}


def test_prime_rl_leaves_out_what_failed(tmp_path, capsys):
    rows = [trace(0, 1.0), trace(0, None, ok=False), trace(0, None)]
    write_lines(tmp_path / "step_1" / "train" / "all" / "traces.jsonl", rows)
    assert imported("prime-rl", tmp_path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {1: (1, 1, 1)}
    assert "without a reward, left out: 2" in capsys.readouterr().out


def test_only_effective_is_not_all_that_was_sampled(tmp_path, capsys):
    write_lines(tmp_path / "step_1" / "train" / "effective" / "traces.jsonl", [trace(0, 1.0)])
    assert imported("prime-rl", tmp_path, tmp_path / "run") == 0
    assert "not all that was sampled" in capsys.readouterr().out
    assert counts(tmp_path / "run") == {} and counts(tmp_path / "run", processed=True) == {1: (1, 1, 1)}


def test_conversations_keep_their_turns(tmp_path):
    write_lines(tmp_path / "step_1" / "train" / "all" / "traces.jsonl", [trace(0, 1.0)])
    assert imported("prime-rl", tmp_path, tmp_path / "run", "--save-rollouts", 1) == 0
    (row,) = TrainingRollouts.read(RunDir(tmp_path / "run")).arrow.to_pylist()
    assert [turn["content"] for turn in json.loads(row["response"])] == ["call", "4", "so 4"]
    assert prompts(tmp_path / "run")[0]["prompt"] == "question 0"


def write_logs(folder: Path, logs: dict[int, list]) -> None:
    folder.mkdir(parents=True)
    for step, rewards in logs.items():
        frame = {"step": step, "prompt": "q", "completion": "c", "right": rewards, "advantage": 0.0}
        pd.DataFrame(frame).to_parquet(folder / f"completions_{step:05d}.parquet")


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ({1: [1.0, 0.0], 2: [1.0, 0.0], 3: [1.0, 0.0]}, {1: (1, 2, 1)}),  # one generation, three updates
        ({1: [1.0, 0.0], 2: [0.0, 1.0], 3: [1.0, 0.0]}, {1: (1, 2, 1), 2: (1, 2, 1), 3: (1, 2, 1)}),  # three
        ({1: [1.0, None], 2: [1.0, None]}, {1: (1, 1, 1)}),
        ({1: [1.0, 0.0, 1.0], 2: [1.0, 0.0, 1.0, 0.0, 0.0]}, {1: (1, 3, 2), 2: (1, 2, 0)}),  # a log of two generations
        ({1: [0.0, 0.0, 0.0, 1.0], 2: [1.0, 0.0, 1.0, 1.0]}, {1: (1, 4, 1), 2: (1, 4, 3)}),  # one row alike is chance
    ],
)
def test_trl_logs_that_repeat_the_last_one_count_once(tmp_path, logs, expected):
    write_logs(tmp_path / "completions", logs)
    assert imported("trl", tmp_path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == expected


def test_trl_logs_that_slide_over_the_generations(tmp_path):
    """Each log holds two generations of two prompts, the second of which the next log begins with."""
    (tmp_path / "completions").mkdir()
    made = [[(f"q{2 * i + j}", float(k)) for j in (0, 1) for k in (0, 1)] for i in range(4)]
    for step in (1, 2, 3):
        asked, rewards = zip(*made[step - 1], *made[step], strict=True)
        frame = {"step": step, "prompt": asked, "completion": "c", "right": rewards, "advantage": 0.0}
        pd.DataFrame(frame).to_parquet(tmp_path / "completions" / f"completions_{step:05d}.parquet")
    assert imported("trl", tmp_path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {1: (4, 8, 4), 2: (2, 4, 2), 3: (2, 4, 2)}


@pytest.mark.parametrize(("steps", "says"), [((5, 10), "2 of 10 steps (20%)"), ((1, 2), None)])
def test_trl_says_what_share_of_the_steps_was_logged(tmp_path, capsys, steps, says):
    write_logs(tmp_path / "completions", {step: [float(step % 2)] for step in steps})
    assert imported("trl", tmp_path, tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert says in out if says else "logging_steps" not in out


def test_lm_eval_counts_a_document_once_however_many_filters(tmp_path):
    row = {"doc": {"q": "question"}, "target": "1", "resps": [["a", "b"]], "arguments": [["question", {}]]}
    rows = [{**row, "filter": name, "exact_match": score} for name, score in (("strict", 0.0), ("flexible", 1.0))]
    rows[0]["metrics"] = ["exact_match"]
    write_lines(tmp_path / "samples_gsm8k.jsonl", rows)
    assert imported("lm-eval", tmp_path, tmp_path / "run", "--tag", "final") == 0
    assert [(row["response"], row["reward"]) for row in evaluated(tmp_path / "run", "final")] == [("a", 0.0)]


def test_lm_eval_choices_that_were_only_scored_are_no_responses(tmp_path):
    row = {"target": "1", "doc": {}, "arguments": {"gen_args_0": {"arg_0": "q"}}, "acc": 1.0}
    row["resps"] = [[["-1.2", "False"]], [["-3.2", "True"]]]
    write_lines(tmp_path / "samples_arc_t.jsonl", [row])
    assert imported("lm-eval", tmp_path, tmp_path / "run", "--tag", "final") == 0
    assert [(row["response"], row["reward"]) for row in evaluated(tmp_path / "run", "final")] == [(None, 1.0)]


def test_tinker_without_text_takes_each_group_for_a_prompt(tmp_path):
    rows = [
        {"split": "train", "iteration": i, "group_idx": g, "traj_idx": t, "total_reward": float(t), "steps": []}
        for i in (0, 1)
        for g in (0, 1)
        for t in (0, 1)
    ]
    write_lines(tmp_path / "train_rollout_summaries.jsonl", rows)
    assert imported("tinker", tmp_path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {0: (2, 4, 2), 1: (2, 4, 2)} and len(prompts(tmp_path / "run")) == 4


def test_what_a_module_does_not_expect_is_one_line(tmp_path, capsys):
    write_lines(tmp_path / "step_1" / "train" / "all" / "traces.jsonl", [trace(0, 1.0), {"nodes": [], "task": "math"}])
    assert imported("prime-rl", tmp_path, tmp_path / "run") == 1
    assert "what follows line 1 is not as prime-rl writes it" in capsys.readouterr().err


@pytest.mark.parametrize(("score", "expected"), [([0.0, 1.0], (1, 1)), ([0.0, None], (0, 0)), ([0.0, "x"], None)])
def test_rewards_by_token(tmp_path, score, expected):
    rows = [{"input_prompt": "q", "output_response": "a", "score": value} for value in ([0.0, 0.0], score)]
    write_lines(tmp_path / "in" / "data.jsonl", rows)
    assert imported("skyrl", tmp_path / "in", tmp_path / "run", "--tag", "final") == (expected is None)
    if expected:
        rows = evaluated(tmp_path / "run", "final")
        assert (len(rows) - 1, sum(row["positive"] for row in rows)) == expected


def test_every_format_says_what_it_was_checked_against():
    assert all(form.name == name and form.checked for name, form in FORMATS.items())


def test_a_log_of_an_older_trl_is_known_by_its_name(tmp_path):
    (tmp_path / "completions").mkdir()
    row = {"step": 1, "prompt": "q", "completion": "c", "reward": 1.0}  # without the advantages of later ones
    pd.DataFrame([row]).to_parquet(tmp_path / "completions" / "completions_00001.parquet")
    assert guess(str(tmp_path)) == "trl"


def test_unknown_files_are_told_with_their_columns(tmp_path, capsys):
    write_lines(tmp_path / "a.jsonl", [{"colour": "red"}])
    assert imported("auto", tmp_path, tmp_path / "run") == 1
    assert "is of no format that is known; its first row has colour" in capsys.readouterr().err


NEMO_ROW = {"content": [["q", "a"]], "rewards": [1.0]}
TWO_RUNS = {
    "nemo-rl": ("exp_001/train_data_step1.jsonl", "exp_002/train_data_step1.jsonl", NEMO_ROW),
    "areal": ("a/rollout/0/1.jsonl", "b/rollout/0/1.jsonl", {"prompt": "q", "completion": "c", "reward": 1.0}),
    "open-instruct": (
        "a_rollouts_000000.jsonl",
        "b_rollouts_000000.jsonl",
        {"prompt_tokens": [1], "response_tokens": [1], "reward": 10.0, "step": 1},
    ),
    "lm-eval": (
        "samples_gsm8k_2026-01-01T00-00-00.jsonl",
        "samples_gsm8k_2026-01-02T00-00-00.jsonl",
        {"arguments": [["q", {}]], "target": "1", "resps": [["a"]], "exact_match": 1.0},
    ),
}


@pytest.mark.parametrize("name", TWO_RUNS)
def test_a_folder_of_two_runs_is_told_apart_from_one(tmp_path, capsys, name):
    *paths, row = TWO_RUNS[name]
    tag = ("--tag", "final") if FORMATS[name].evaluations_only else ()
    for path in paths:
        write_lines(tmp_path / "in" / path, [row])
    assert imported(name, tmp_path / "in", tmp_path / "run", *tag) == 1
    assert "holds several runs" in (error := capsys.readouterr().err) or "holds runs a, b" in error
    (tmp_path / "in" / paths[1]).unlink()
    assert imported(name, tmp_path / "in", tmp_path / "run", *tag) == 0


def test_verls_validation_is_no_training(tmp_path, capsys):
    """Both lie below one folder: only what is named is read."""
    for name in ("rollouts", "validation"):
        TRAINING["verl"](tmp_path / name)
    assert imported("verl", tmp_path, tmp_path / "run") == 1
    assert "no file *.jsonl there" in capsys.readouterr().err
