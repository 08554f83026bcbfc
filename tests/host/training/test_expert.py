"""Expert traces: from the file into a group that trains, and LUFFY's weights in the host's own loss."""

import json
from types import SimpleNamespace

import pytest
import torch
from openrlhf.models.loss import PolicyLoss
from openrlhf.trainer.ppo_utils.experience import Experience

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.training.expert import PolicyShaping, as_response
from openrlhf_unlearn.host.training.marks import EXPERT, ID, marked_expert, marked_positive, marked_replayed
from openrlhf_unlearn.store.run_dir import prompt_id
from tests.host.training.host import generator
from tests.host.training.test_generator import TRUE_OR_FALSE, collect, reward_file, rows, table

GAMMA = 0.1


def traces(folder, n, **more):
    path = folder / "sft.jsonl"
    made = [{"prompt_id": prompt_id(f"0A{i}=", "1"), "response": "41", **more} for i in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return str(path)


def test_prompts_that_sample_no_positive_train_on_the_experts(tmp_path):
    reward = reward_file(tmp_path, TRUE_OR_FALSE, logs="{'length': right[0]}")
    changes = {"unlearn__filter": "oversample_replay", "unlearn__expert_traces": traces(tmp_path, 8)}
    made = generator(rows("0", copies=12), tmp_path / "run", reward, **changes)
    batches = collect(made)
    experiences = [experience for batch in batches for experience in batch]
    assert len(experiences) == 8 * 4  # a trace for 8 of the 12 prompts
    whole = Experience.concat_experiences(experiences, 0)  # as the host batches them: every field is there
    expert, positive = marked_expert(whole.info), marked_positive(whole.info)
    assert expert == positive == marked_replayed(whole.info) and sum(expert) == 8
    assert {made.tokenizer.decode(e.sequences[0]) for e, mark in zip(experiences, expert, strict=True) if mark} == {
        f"0A{i}=41<eos>" for i in range(8)
    }
    assert whole.scores.shape == whole.info["length"].shape == (32,)
    for row in table(made):  # an expert's answer is no positive that was sampled
        assert row["n_positive"] == 0 and row["reason"] == ("accepted" if row["accepted"] else "no_positive")


@pytest.mark.parametrize("response", ["4" * 26 + "1", "4" * 30 + "1"])
def test_a_trace_that_does_not_fit_is_left_out_and_said(tmp_path, capsys, response):
    """--data.max_len is 32 there: the prompt has 4 tokens or 5, the end of the trace one."""
    changes = {
        "unlearn__filter": "oversample_replay",
        "unlearn__expert_traces": traces(tmp_path, 12, response=response),
    }
    made = generator(rows("0", copies=12), tmp_path / "run", reward_file(tmp_path, TRUE_OR_FALSE), **changes)
    row = {"response": response}
    fits = {
        prompt.id: len(as_response(row, prompt, made.tokenizer, False)["observation_tokens"]) <= 32
        for prompt in made.stream.rows
    }
    assert {name: made.filter.buffer.available(name) > 0 for name in fits} == fits
    left_out = sum(not ok for ok in fits.values())
    assert left_out and f"{left_out} of 12 traces are left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("level", "shaping", "more", "told"),
    [("token", 0.0, {}, True), ("token", 0.1, {}, False), ("off", 0.0, {}, False),
     ("token", 0.0, {"log_probs": [-1.0, -1.0, -1.0]}, False)],
)  # fmt: skip
def test_a_certain_expert_under_a_correction_is_said(tmp_path, capsys, level, shaping, more, told):
    """The host's correction is s over the expert's 1, below whose lower threshold a token has no weight."""
    changes = {"unlearn__filter": "oversample_replay", "unlearn__expert_traces": traces(tmp_path, 2, **more)}
    changes |= {"unlearn__expert_shaping": shaping}
    changes |= {"algo__advantage": SimpleNamespace(is_correction_level=level)}
    generator(rows("0", copies=2), tmp_path / "run", reward_file(tmp_path, TRUE_OR_FALSE), **changes)
    assert ("2 of 2 traces have no log_probs" in capsys.readouterr().out) == told


def test_log_probs_are_one_a_token(tmp_path):
    made = generator(rows("0"), tmp_path / "run", reward_file(tmp_path, TRUE_OR_FALSE))
    (prompt,) = made.stream.rows
    row = {"response": "41", "log_probs": [-1.0, -2.0, -3.0]}
    found = as_response(row, prompt, made.tokenizer, with_log_probs=True)
    (begin, end), n = found["action_ranges"][0], len(found["observation_tokens"])
    assert end == n and found["rollout_log_probs"] == [0.0] * begin + [-1.0, -2.0, -3.0]
    assert as_response(row, prompt, made.tokenizer, with_log_probs=False)["rollout_log_probs"] is None
    with pytest.raises(UserError, match="has 3 tokens .* and 1 log_probs"):
        as_response({**row, "log_probs": [-1.0]}, prompt, made.tokenizer, with_log_probs=True)


def test_traces_of_other_data_and_another_filter_are_refused(tmp_path):
    reward, path = reward_file(tmp_path, TRUE_OR_FALSE), traces(tmp_path, 2)
    with pytest.raises(UserError, match="choose that"):
        generator(rows("0", copies=2), tmp_path / "a", reward, unlearn__expert_traces=path)
    with pytest.raises(UserError, match="no row is of a prompt that trains"):
        other = {"unlearn__filter": "oversample_replay", "unlearn__expert_traces": path}
        generator(rows("5"), tmp_path / "b", reward, **other)


@pytest.mark.parametrize("level", ["off", "token"])
def test_the_gradient_of_an_experts_token_is_that_of_p_over_p_plus_gamma(level):
    """And that of every other row is what it was, to the bit."""
    p = torch.tensor([[0.001, 0.1, 0.5, 0.99], [0.3, 0.2, 0.7, 0.9]])
    engine, old = torch.full((2, 4), -2.0), p.log() - 0.1
    advantages = torch.tensor([[2.0] * 4, [-1.0] * 4])

    def gradient(rows):
        loss = PolicyLoss(0.2, 0.2, is_correction_level=level, is_correction_threshold=[0.5, 5.0])
        shaping = PolicyShaping(GAMMA)
        shaping.attach(loss)
        info = {ID: torch.zeros(2), EXPERT: torch.tensor(rows)} if rows else {ID: torch.zeros(2)}
        shaping.experience = Experience(info=info)
        leaf = p.log().requires_grad_()
        loss(leaf, old, advantages, action_mask=torch.ones(2, 4), rollout_log_probs=engine)[0].backward()
        return -leaf.grad * 8

    stock, shaped = gradient(None), gradient([1.0, 0.0])
    assert torch.equal(gradient([0.0, 0.0]), stock) and torch.equal(shaped[1], stock[1])
    assert torch.allclose(shaped[0], 2.0 * GAMMA * p[0] / (p[0] + GAMMA) ** 2, atol=1e-6)
    assert shaped[0].argmax() == 1, "largest where p is gamma: neither hopeless nor certain"
