import json
from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import SCHEMA_VERSION, RunDir, write_json
from openrlhf_unlearn.transfer.candidates import as_trained, distinct, read_pool
from openrlhf_unlearn.transfer.choose import choose_rows
from openrlhf_unlearn.transfer.dataset import absent, controls, failed_check, scored


def test_the_best_rows_first_and_controls_of_the_same_size():
    pool = np.array([[0.1, 1], [2, 0], [-1, 0], [1, 5]], np.float32)
    texts = ["12 + 7 =", "lorem ipsum", "12 + 8 =", "dolor sit"]
    found = choose_rows(pool, np.array([[1, 0], [3, 0]], np.float32), texts, ["12 + 9 =", "12 + 3 ="], 2, 0)
    assert found.chosen == [1, 3]
    assert sorted(found.nearest) == [0, 2]
    assert len(set(found.random)) == 2


def test_rows_that_are_predicted_to_harm_are_not_chosen():
    found = choose_rows(np.array([[-1.0], [2], [0]]), np.ones((1, 1)), ["a", "b", "c"], ["d"], 3, 0)
    assert found.chosen == [1] and len(found.random) == len(found.nearest) == 1


def test_of_random_gradients_half_have_a_score_above_0_and_hardly_any_is_told():
    rng = np.random.default_rng(0)
    pool, targets = rng.standard_normal((1000, 50)), rng.standard_normal((8, 50))
    found = choose_rows(pool, targets, ["a"] * 1000, ["b"] * 8, 1000, 0)
    assert 350 < len(found.chosen) < 650 and found.told.sum() <= 5
    near = choose_rows(pool + 3 * targets[0], targets[:1] + rng.standard_normal((8, 50)) / 9, ["a"] * 1000, ["b"], 9, 0)
    assert near.told.mean() > 0.9
    assert not choose_rows(pool, targets[:1], ["a"] * 1000, ["b"], 9, 0).told.any()


def test_one_large_target_does_not_decide():
    targets = np.array([[1000.0, 0], [0, 1], [0, 1], [0, 1]])
    found = choose_rows(np.array([[1.0, -0.5], [0, 1]]), targets, ["a", "b"], ["c"] * 4, 1, 0)
    assert found.chosen == [1]
    assert found.helps.tolist() == [0.25, 0.75]


def test_repeats_and_the_targets_own_rows_are_left_out_of_the_pool():
    rows = [{"prompt": "a", "response": "1", "n": n} for n in range(3)]
    rows += [{"prompt": "t", "response": "1"}, {"prompt": "b", "response": "1", "prompt_id": "x"}]
    kept, said = distinct([*rows, {"prompt": "b", "response": "1"}], {"x": "t"})
    assert [row["prompt"] for row in kept] == ["a", "b"] and kept[0]["n"] == 0
    assert said == [
        "of 6 rows of the pool, 2 are of target prompts and 2 repeat a prompt and response; they are left out"
    ]
    assert distinct(rows[:1], {}) == (rows[:1], [])


@pytest.mark.parametrize("prompt", [[{"role": "user", "content": "a"}], 3])
def test_a_pool_takes_the_datas_own_input_key_and_text_only(tmp_path, prompt):
    path = tmp_path / "pool.jsonl"
    path.write_text('{"question": "a", "response": "1"}\n')
    assert read_pool(path, "question") == [{"prompt": "a", "question": "a", "response": "1"}]
    path.write_text(json.dumps({"prompt": prompt, "response": "1"}))
    with pytest.raises(UserError, match="must be text"):
        read_pool(path)


def test_prompts_of_the_pool_are_put_through_the_runs_template(tmp_path):
    run = RunDir(tmp_path)
    write_json(run.run_json, {"schema_version": SCHEMA_VERSION, "args": {"data": {"apply_chat_template": True}}})
    Prompts.of(prompt_id=["p"], prompt=["<user>a<end>"], label=["1"], datasource=["d"]).write(run)
    tokenizer = SimpleNamespace(apply_chat_template=lambda chat, **_: f"<user>{chat[0]['content']}<end>")
    rows = [{"prompt": "b"}, {"prompt": "a", "prompt_id": "p"}, {"prompt": "<user>a<end>"}]
    assert as_trained(rows, run, tokenizer) == ["<user>b<end>", "<user>a<end>", "<user>a<end>"]


def test_what_is_known_of_a_choice_is_said(tmp_path):
    assert absent({"a", "b", "c"}, {"a"}, {"a", "b"}) == [
        "1 of the 3 prompts are chosen for: 1 without a gradient, 1 not in the run"
    ]
    run = RunDir(tmp_path)
    assert failed_check(run, "p") == [] == absent({"a"}, {"a"}, {"a"})
    write_json(run.transfer_json("p"), {"agreement": {"gradient": {"all": {"value": 0.1, "low": -0.2, "high": 0.4}}}})
    assert failed_check(run, "p")[0].startswith("warning: short trainings did not bear")
    made = choose_rows(np.ones((3, 1)), np.ones((2, 1)), ["a", "b", "c"], ["d"], 3, 0)
    said = " ".join(controls(made, [1, 2, 3], 3))
    assert "over half of the 3 rows" in said and "3 in random, 3 in nearest" in said and "chosen 6, random 6" in said
    assert scored({"score": 9}, made, 0)["score"] == 9 and scored({}, made, 0)["transfer_score"] == 1
