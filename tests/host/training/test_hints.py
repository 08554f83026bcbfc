"""Hints through the generator on the host's own classes: what is asked, what trains, what the run directory says."""

import json

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.training.hints import behind, hint_rows, load_hints, prompt_tokens
from openrlhf_unlearn.host.training.marks import marked_ids, marked_replayed
from openrlhf_unlearn.host.training.state import read_state, write_state
from openrlhf_unlearn.store.run_dir import prompt_id
from tests.host.training.host import build_tokenizer, flags, generator
from tests.host.training.test_generator import TRUE_OR_FALSE, collect, reward_file, rows, table

NEVER, HINTED = "0A{}=", "5A{}="  # the engine answers the plain prompts never rightly, the hinted ones half the time
N = 12


def hints(folder, shares=(0.25,)):
    path = folder / "hints.jsonl"
    made = [
        {"prompt": HINTED.format(i), "label": "1", "origin": prompt_id(NEVER.format(i), "1"), "hint": share}
        for i in range(N)
        for share in shares
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


@pytest.mark.parametrize("trains", ["group", "one"])
def test_what_trains_and_what_is_written(tmp_path, trains):
    given = {"filter": "hinted", "hints": str(hints(tmp_path)), "hint_trains": trains}
    changes = {f"unlearn__{name}": value for name, value in given.items()}
    made = generator(rows("0", copies=N), tmp_path / "run", reward_file(tmp_path, TRUE_OR_FALSE), **changes)
    batches = collect(made)
    experiences = [experience for batch in batches for experience in batch]
    assert len(experiences) >= 16
    texts = [made.tokenizer.decode(prompt_tokens(experience)) for experience in experiences]
    assert {text[0] for text in texts} == ({"5"} if trains == "group" else {"0"})
    assert {name for e in experiences for name in marked_ids(e.info)} <= {row.id for row in made.stream.rows}
    sampled = table(made)
    assert {row["reason"] for row in sampled} <= {"hinted", "hinted_zero_variance", "hinted_no_positive"}
    for row in sampled:  # what a hint earned is no pass rate of the prompt
        assert (row["n"], row["n_positive"], row["pass_rate"], row["n_hinted"]) == (4, 0, 0.0, 4)
    assert sum(row["n_hinted_positive"] for row in sampled) > 0
    assert set(made.tracker.curve_of.values()) == {"never_positive"}
    for row in table(made, processed=True):
        assert row["n_hinted"] == (4 if trains == "group" else 1) and row["n_replayed"] == 0
    replayed = [mark for e in experiences for mark in marked_replayed(e.info)]
    assert sum(replayed) == (0 if trains == "group" else len(experiences) // 4)
    assert batches[0].metrics["unlearn/hinted_trained"] == (16 if trains == "group" else 4)
    assert batches[0].metrics["unlearn/rollouts_sampled"] == 2 * batches[0].metrics["unlearn/hinted_sampled"]


def test_a_hint_that_leaves_no_room_to_answer_is_left_out_and_said(tmp_path, capsys):
    row = {"prompt": HINTED.format(0), "label": "1", "origin": prompt_id(NEVER.format(0), "1"), "hint": 0.25}
    given = [row, {**row, "prompt": "5A" + "1" * 29 + "=", "hint": 0.5}]  # 32 tokens: --data.max_len
    path = tmp_path / "hints.jsonl"
    args, tokenizer = flags(tmp_path / "run", unlearn__hints=str(path)), build_tokenizer()
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    assert load_hints(args, tokenizer, {row["origin"]}) == {row["origin"]: (row["prompt"],)}
    assert "1 hinted prompts have more than 31 tokens" in capsys.readouterr().out
    path.write_text(json.dumps(given[1]) + "\n")
    with pytest.raises(UserError, match="which are all: raise --data.max_len"):
        load_hints(args, tokenizer, {row["origin"]})


def test_a_killed_run_goes_on_with_the_same_hints(tmp_path):
    reward, path = reward_file(tmp_path, TRUE_OR_FALSE), str(hints(tmp_path, (0.25, 0.5)))
    changes = {"unlearn__filter": "hinted", "unlearn__hints": path}
    made, again = (generator(rows("0", copies=N), tmp_path / name, reward, **changes) for name in "ab")
    made.generate_samples(max_len=32, max_new_tokens=1, temperature=1.0)
    write_state(tmp_path / "state.npz", made.state_dict(), made.step)
    again.load_state_dict(read_state(tmp_path / "state.npz")[0])
    assert again.filter.state_dict() == made.filter.state_dict()
    again.engine.random.setstate(made.engine.random.getstate())
    again.sent = made.sent
    one, other = collect(made), collect(again)
    assert [[e.sequences.tolist() for e in batch] for batch in one] == [
        [e.sequences.tolist() for e in batch] for batch in other
    ]


def test_a_rollout_behind_another_prompt_keeps_its_tokens_and_their_log_probs():
    response = {
        "observation_tokens": [7, 8, 9, 1, 2, 5, 3],
        "action_ranges": [(3, 5), (6, 7)],
        "rollout_log_probs": [0.0, 0.0, 0.0, -1.0, -2.0, 0.0, -3.0],
        "reward": 1.0,
    }
    moved = behind(response, [4])
    assert moved["observation_tokens"] == [4, 1, 2, 5, 3] and moved["action_ranges"] == [(1, 3), (4, 5)]
    assert moved["rollout_log_probs"] == [0.0, -1.0, -2.0, 0.0, -3.0] and moved["reward"] == 1.0
    for (a, b), (c, d) in zip(response["action_ranges"], moved["action_ranges"], strict=True):
        assert response["observation_tokens"][a:b] == moved["observation_tokens"][c:d]
    assert behind({**response, "rollout_log_probs": None}, [4])["rollout_log_probs"] is None


def test_hints_of_other_data_and_other_files_are_refused_by_name(tmp_path):
    args = flags(tmp_path / "run", unlearn__hints=str(hints(tmp_path)))
    with pytest.raises(UserError, match="no row's origin is a prompt that trains"):
        load_hints(args, None, {"0" * 16})
    (tmp_path / "plain.jsonl").write_text('{"prompt": "a"}\n')
    for path, says in (("none.jsonl", "cannot be read"), ("plain.jsonl", "rows need origin and hint")):
        with pytest.raises(UserError, match=says):
            hint_rows(str(tmp_path / path))
