"""Values as people's files hold them: read for what they are, left out and counted, or told in one line."""

import json

import pandas as pd
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.exchange.values import as_label, as_number, as_step, as_text
from openrlhf_unlearn.store import spool
from openrlhf_unlearn.store.run_dir import RunDir, read_json
from openrlhf_unlearn.store.training import TrainingRollouts
from tests.exchange.cli import counts, evaluated, imported, prompts, write_lines


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1), (0.5, 0.5), (True, 1), ("True", 1), ("false", 0), (" 1.0", 1), (None, None), ("", None),
        ("null", None), (float("nan"), None), ("nan", None), ("-1", -1),
    ],
)  # fmt: skip
def test_rewards(value, number):
    assert as_number(value) == number


@pytest.mark.parametrize("value", ["good", float("inf"), [1], {"score": 1}, 10**400])
def test_no_rewards(value):
    with pytest.raises((ValueError, TypeError)):
        as_number(value)


def test_steps_labels_and_texts():
    assert [as_step(value) for value in (3, 3.0, "3", "3.0")] == [3] * 4
    for value in (3.5, 10**400):
        with pytest.raises(ValueError):
            as_step(value)
    assert [as_label(value) for value in (42, 42.0, "42", [42], {"answer": 42.0, "unit": None})] == [
        "42", "42", "42", "[42]", "42"
    ]  # fmt: skip
    assert as_label({"ground_truth": "a", "answer": "b"}) == "a" and as_label("42.0") == "42.0"
    assert as_text([{"role": "user", "content": "q"}]) == "q"
    assert as_text("ok \ud83d") == "ok \ufffd" and as_text(["\ud83d"]) == '["\ufffd"]'
    assert as_text(float("nan")) is None and as_label(float("nan")) is None
    assert as_text("\U0001f600\u2028") == "\U0001f600\u2028"


def rows(*rewards, **more) -> list[dict]:
    return [{"prompt": "q", "response": f"r{i}", "reward": r, "step": 1, **more} for i, r in enumerate(rewards)]


def test_true_and_false_as_text_and_steps_with_a_point(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", rows("True", "False", "true", step=2.0))
    assert imported("jsonl", path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {2: (1, 3, 2)}


@pytest.mark.parametrize("end", ["csv", "parquet", "jsonl"])
def test_42_and_42_0_are_one_label(tmp_path, end):
    """pandas makes whole numbers of a column with gaps into floats."""
    for name, label in (("a", [42, 7]), ("b", [42.0, None])):
        frame = pd.DataFrame({"prompt": ["q", "p"], "label": label, "reward": [1, 0], "step": 1})
        path = tmp_path / f"{name}.{end}"
        if end == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            getattr(frame, f"to_{end}")(path, index=False)
        assert imported("jsonl", path, tmp_path / "run", "--tag", name) == 0
    assert sorted(str(row["label"]) for row in prompts(tmp_path / "run") if row["prompt"] == "q") == ["42"]


@pytest.mark.parametrize("rewards", ["rewards", "reward.values"])
def test_a_row_a_prompt_with_lists(tmp_path, rewards):
    given = {"rewards": [1, 0, None]} if rewards == "rewards" else {"reward": {"values": [1, 0, None]}}
    columns = f"response=responses,reward={rewards}"
    path = write_lines(tmp_path / "a.jsonl", [{"prompt": "q", "step": 1, "responses": ["a", "b", "c"], **given}])
    if rewards == "rewards":
        assert imported("jsonl", path, tmp_path / "run", "--columns", columns, "--save-rollouts", 9) == 0
        assert counts(tmp_path / "run") == {1: (1, 2, 1)}
        kept = TrainingRollouts.read(RunDir(tmp_path / "run")).arrow.to_pylist()
        assert [(row["response"], row["reward"]) for row in kept] == [("a", 1.0), ("b", 0.0)]
    else:
        assert imported("jsonl", path, tmp_path / "run", "--columns", columns) == 0
        assert counts(tmp_path / "run") == {1: (1, 2, 1)}


def test_a_chat_prompt_is_no_list_of_prompts(tmp_path):
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    row = {"prompt": chat, "step": 1, "response": ["a", "b"], "reward": [1, 0]}
    assert imported("jsonl", write_lines(tmp_path / "a.jsonl", [row]), tmp_path / "run") == 0
    assert [json.loads(row["prompt"]) for row in prompts(tmp_path / "run")] == [chat]


@pytest.mark.parametrize(
    ("reward", "message"), [([1, 0], "2 rewards, but not as many responses"), (1, "3 responses in 'response', but one")]
)
def test_lists_of_different_lengths_are_told(tmp_path, capsys, reward, message):
    row = {"prompt": "q", "step": 1, "response": ["a", "b", "c"], "reward": reward}
    assert imported("jsonl", write_lines(tmp_path / "a.jsonl", [row]), tmp_path / "run") == 1
    assert f"line 1 has {message}" in capsys.readouterr().err


@pytest.mark.parametrize(("prompt", "labels"), [("q", ['["4", "four"]']), (["q", "p"], ["4", "four"])])
def test_a_list_of_right_answers_is_one_label_of_its_prompt(tmp_path, prompt, labels):
    row = {"prompt": prompt, "step": 1, "response": ["a", "b"], "reward": [1, 0], "label": ["4", "four"]}
    assert imported("jsonl", write_lines(tmp_path / "a.jsonl", [row]), tmp_path / "run") == 0
    assert sorted(row["label"] for row in prompts(tmp_path / "run")) == labels


def test_a_conversation_in_one_column_is_its_prompt_and_what_came_of_it(tmp_path):
    asked = {"role": "user", "content": "q"}
    answers = [[{"role": "assistant", "tool_calls": []}, {"role": "assistant", "content": text}] for text in "ab"]
    lines = [{"messages": [asked, *answer], "reward": 1, "step": 1} for answer in answers]
    path = write_lines(tmp_path / "a.jsonl", lines)
    assert imported("jsonl", path, tmp_path / "run", "--columns", "prompt=messages", "--save-rollouts", 9) == 0
    assert [row["prompt"] for row in prompts(tmp_path / "run")] == ["q"]
    kept = TrainingRollouts.read(RunDir(tmp_path / "run"))
    assert [json.loads(response) for response in kept.response] == answers


def test_rollouts_without_a_reward_are_left_out_and_counted(tmp_path, capsys):
    path = write_lines(tmp_path / "a.jsonl", rows(1, None, 0, float("nan")))
    assert imported("jsonl", path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {1: (1, 2, 1)}
    assert "without a reward, left out: 2 (first: " in (out := capsys.readouterr().out) and "line 2" in out


def test_an_empty_file_among_others_is_told(tmp_path, capsys):
    write_lines(tmp_path / "in" / "a.jsonl", rows(1, 0))
    write_lines(tmp_path / "in" / "b.jsonl", [])
    assert imported("jsonl", tmp_path / "in", tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {1: (1, 2, 1)}
    assert "files without a row: 1 (first: " in (out := capsys.readouterr().out) and "b.jsonl" in out


def test_nothing_but_nulls_is_no_run(tmp_path, capsys):
    assert imported("jsonl", write_lines(tmp_path / "a.jsonl", rows(None, None)), tmp_path / "run") == 1
    assert "line 1 has the reward null, and no other row has one" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("other", "told"), [("q ", True), ("\nq", True), ("p", False)])
def test_prompts_that_differ_by_space_are_kept_apart_and_told(tmp_path, capsys, other, told):
    path = write_lines(tmp_path / "a.jsonl", [*rows(1), *rows(0, prompt=other)])
    assert imported("jsonl", path, tmp_path / "run") == 0
    assert len(prompts(tmp_path / "run")) == 2
    assert ("differ only by space" in capsys.readouterr().out) == told


@pytest.mark.parametrize(("other", "told"), [("another", True), ("q", False)])
def test_an_id_with_several_texts_is_told(tmp_path, capsys, other, told):
    path = write_lines(tmp_path / "a.jsonl", [*rows(1, uid=1), *rows(0, uid=1.0, prompt=other)])
    assert imported("jsonl", path, tmp_path / "run", "--columns", "id=uid") == 0
    assert len(prompts(tmp_path / "run")) == 1
    assert ("come with several texts" in capsys.readouterr().out) == told


def test_an_id_that_is_nan_names_no_prompt(tmp_path, capsys):
    path = write_lines(tmp_path / "a.jsonl", [*rows(1, uid=1), *rows(0, uid=float("nan"))])
    assert imported("jsonl", path, tmp_path / "run", "--columns", "id=uid") == 1
    assert "line 2 has no value in 'uid'" in capsys.readouterr().err


@pytest.mark.parametrize(("right", "expected"), [("true", {1: (1, 2, 1)}), ("yes", None)])
def test_a_column_that_is_said_to_tell_right_from_wrong(tmp_path, capsys, right, expected):
    path = write_lines(tmp_path / "a.jsonl", [*rows(0.2, ok=right), *rows(0.9, ok="false")])
    assert imported("jsonl", path, tmp_path / "run", "--columns", "positive=ok") == (expected is None)
    if expected:
        assert counts(tmp_path / "run") == expected
    else:
        assert "line 1 has 'yes' in 'ok', which is neither true nor false" in capsys.readouterr().err


def test_a_threshold_is_remembered(tmp_path, capsys):
    """Neither a later import nor classify asks again."""
    run = tmp_path / "run"
    graded = [{"prompt": f"q{q}", "reward": (0.2, 0.9)[i < 4 * q], "response": "r"} for q in (0, 1) for i in range(8)]
    path = write_lines(tmp_path / "a.jsonl", graded)
    assert imported("jsonl", path, run, "--tag", "initial") == 1  # 0.2 and 0.9: it must be said
    assert imported("jsonl", path, run, "--tag", "initial", "--threshold", 0.8) == 0
    assert imported("jsonl", path, run, "--tag", "final") == 0
    assert "positive by reward above 0.8" in capsys.readouterr().out
    assert cli.main(["classify", str(run)]) == 0
    assert read_json(RunDir(run).run_json)["positive"] == {"by": "reward", "threshold": 0.8, "given": True}
    for tag in ("initial", "final"):
        found = evaluated(run, tag)
        assert [row["positive"] for row in found] == [row["reward"] > 0.8 for row in found]
        assert {row["verdict"] for row in found if row["positive"]} == {"correct"}


@pytest.mark.parametrize(("rewards", "positive"), [((1, -1, -1), 1), ((-1, -1), 0), ((0, 1), 1), ((1, 1), 2)])
def test_rewards_of_two_values_need_no_threshold(tmp_path, rewards, positive):
    assert imported("jsonl", write_lines(tmp_path / "a.jsonl", rows(*rewards)), tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {1: (1, len(rewards), positive)}


def verl(score, acc=None, gts="1") -> dict:
    row = {"input": "q", "output": "o", "gts": gts, "score": score, "step": 1}
    return row if acc is None else {**row, "acc": acc}


def test_verl_is_positive_by_acc_where_it_is_there(tmp_path):
    """Scores are shaped: -0.4 for a right answer that is too long. A threshold that is given goes before it."""
    path = write_lines(tmp_path / "1.jsonl", [verl(-0.4, "True"), verl(-1.0, "False"), verl(1.0, "True")])
    assert imported("verl", path, tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {1: (1, 3, 2)}
    assert imported("verl", path, tmp_path / "given", "--threshold", 0) == 0
    assert counts(tmp_path / "given") == {1: (1, 3, 1)}


def test_verl_acc_of_some_rows_only_says_nothing(tmp_path, capsys):
    path = write_lines(tmp_path / "1.jsonl", [verl(-0.4, "True"), verl(-1.0)])
    assert imported("verl", path, tmp_path / "run") == 1
    assert "--threshold" in capsys.readouterr().err


def test_a_label_that_is_an_object(tmp_path, capsys):
    path = write_lines(tmp_path / "1.jsonl", [verl(1.0, gts={"answer": 7.0, "unit": None})])
    assert imported("verl", path, tmp_path / "run") == 0
    assert [row["label"] for row in prompts(tmp_path / "run")] == ["7"]
    path = write_lines(tmp_path / "2.jsonl", [verl(1.0, gts={"x": 7, "y": 8})])
    assert imported("verl", path, tmp_path / "other") == 1
    assert "an object as label, with the keys x, y; name the one: --columns label=gts.KEY" in capsys.readouterr().err
    assert imported("verl", path, tmp_path / "other", "--columns", "label=gts.y") == 0


def test_nested_columns(tmp_path):
    row = {"prompt": "q", "reward_model": {"ground_truth": "5"}, "extra_info": {"index": 3}, "step": 1, "reward": 1}
    path = write_lines(tmp_path / "a.jsonl", [row])
    columns = "label=reward_model.ground_truth,id=extra_info.index"
    assert imported("jsonl", path, tmp_path / "run", "--columns", columns) == 0
    assert [(row["label"], row["source_id"]) for row in prompts(tmp_path / "run")] == [("5", "3")]


@pytest.mark.parametrize("flush", [1, 2**26])
def test_what_waits_on_disk_comes_back_in_order(tmp_path, monkeypatch, flush):
    monkeypatch.setattr(spool, "FLUSH", flush)
    data = [
        {"prompt": f"q{i % 3}", "response": f"r{i}", "reward": i % 2, "step": 1 + i % 2, "label": "1"}
        for i in range(60)
    ]
    path = write_lines(tmp_path / "a.jsonl", data)
    assert imported("jsonl", path, tmp_path / "run", "--save-rollouts", 4) == 0
    kept = TrainingRollouts.read(RunDir(tmp_path / "run")).arrow.to_pylist()
    expected = [(row["step"], row["response"]) for row in data]
    expected = [row for step in (1, 2) for row in expected if row[0] == step and int(row[1][1:]) < 24]
    assert [(row["step"], row["response"]) for row in kept] == expected
    assert imported("jsonl", path, tmp_path / "run", "--tag", "all") == 0
    assert [row["response"] for row in evaluated(tmp_path / "run", "all")] == [row["response"] for row in data]
    assert not list(tmp_path.glob(".import-*")) and not list((tmp_path / "run").glob(".import-*"))


def test_token_ids_become_text_with_a_tokenizer(tmp_path):
    pytest.importorskip("transformers")
    from openrlhf_unlearn.worlds.tokenizer import build_tokenizer

    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text('{"model_type": "qwen2"}')
    ids = tokenizer.encode("1+2=")
    row = {"prompt_tokens": ids, "response_tokens": ids, "reward": 0.0, "step": 1}
    path = write_lines(tmp_path / "run_rollouts_000000.jsonl", [row])
    assert imported("open-instruct", path, tmp_path / "ids") == 0
    assert prompts(tmp_path / "ids")[0]["prompt"] == json.dumps(ids)
    assert imported("open-instruct", path, tmp_path / "text", "--tokenizer", tmp_path / "model") == 0
    assert prompts(tmp_path / "text")[0]["prompt"] == tokenizer.decode(ids)


def test_a_reward_that_is_an_object_asks_for_its_key(tmp_path, capsys):
    path = write_lines(tmp_path / "a.jsonl", rows({"right": 1, "form": 0}))
    assert imported("jsonl", path, tmp_path / "run") == 1
    assert "with the keys right, form; name the one: --columns reward=reward.KEY" in capsys.readouterr().err
    assert imported("jsonl", path, tmp_path / "run", "--columns", "reward=reward.right") == 0


@pytest.mark.parametrize(("words", "n"), [((), 3), (("--step", 2), 1)])
def test_an_evaluation_of_one_step(tmp_path, words, n):
    """A column `step` of any file may count something else; where it is asked for, it is read."""
    path = write_lines(tmp_path / "a.jsonl", [*rows(1, 0), *rows(1, step=2)])
    assert imported("jsonl", path, tmp_path / "run", "--tag", "late", *words) == 0
    assert len(evaluated(tmp_path / "run", "late")) == n


def test_a_step_is_of_an_evaluation(tmp_path, capsys):
    assert imported("jsonl", write_lines(tmp_path / "a.jsonl", rows(1)), tmp_path / "run", "--step", 1) == 2
    assert "--step takes one step of an evaluation" in capsys.readouterr().err
