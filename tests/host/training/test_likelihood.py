import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from openrlhf.trainer.ppo_utils.experience import Experience

from openrlhf_unlearn.host.training.likelihood import likelihood_rows
from openrlhf_unlearn.host.training.marks import ID, POSITIVE, REPLAYED, id_number
from openrlhf_unlearn.store.run_dir import prompt_id


def experience(seed, rollouts=5, tokens=7):
    make = torch.Generator().manual_seed(seed)

    def log_probs():
        return -torch.rand(rollouts, tokens, generator=make)

    mask = torch.rand(rollouts, tokens, generator=make) < 0.7
    mask[:, 0] = True
    return Experience(
        action_mask=mask,
        action_log_probs=log_probs(),
        base_action_log_probs=log_probs(),
        rollout_log_probs=log_probs(),
        prompts=[f"p{i % 2}" for i in range(rollouts)],
        labels=["x"] * rollouts,
        info={
            ID: torch.tensor([id_number(prompt_id(f"p{i % 2}", "x")) for i in range(rollouts)]),
            POSITIVE: (torch.rand(rollouts, generator=make) < 0.5).float(),
            REPLAYED: (torch.rand(rollouts, generator=make) < 0.3).float(),
        },
    )


def by_hand(experiences, prompt, pick, which):
    """Mean over the picked rollouts of the mean over their response tokens of `which(experience, rollout, token)`."""
    means = []
    for e in experiences:
        for i, name in enumerate(e.prompts):
            if name == prompt and pick(e, i):
                values = [which(e, i, t) for t in range(e.action_mask.shape[1]) if e.action_mask[i, t]]
                means.append(math.fsum(values) / len(values))
    return math.fsum(means) / len(means) if means else None


def positive(e, i):
    return bool(e.info[POSITIVE][i])


def gap(e, i, t):
    return abs(float(e.action_log_probs[i, t] - e.rollout_log_probs[i, t]))


@given(st.integers(0, 10_000))
def test_rows_are_the_means_by_hand_over_micro_batches(seed):
    experiences = [experience(seed), experience(seed + 1)]
    rows = likelihood_rows(experiences, has_reference=True)
    assert {row.prompt_id for row in rows} == {prompt_id("p0", "x"), prompt_id("p1", "x")}
    for row, prompt in zip(rows, ("p0", "p1"), strict=True):
        expected = {
            "reference_log_likelihood": by_hand(
                experiences, prompt, positive, lambda e, i, t: float(e.base_action_log_probs[i, t])
            ),
            "policy_log_likelihood": by_hand(
                experiences, prompt, positive, lambda e, i, t: float(e.action_log_probs[i, t])
            ),
            "train_inference_gap": by_hand(experiences, prompt, lambda e, i: not e.info[REPLAYED][i], gap),
            "replay_gap": by_hand(experiences, prompt, lambda e, i: bool(e.info[REPLAYED][i]), gap),
        }
        for name, value in expected.items():
            assert getattr(row, name) == (None if value is None else pytest.approx(value, rel=1e-6)), name


def test_with_kl_in_the_reward_the_reference_is_found_from_the_difference_that_the_host_keeps():
    whole = experience(3)
    cut = experience(3)
    difference = (cut.action_log_probs - cut.base_action_log_probs) * cut.action_mask
    cut.info["logprobs_diff"] = difference.sum(-1) / cut.action_mask.sum(-1)
    cut.base_action_log_probs = None
    for a, b in zip(likelihood_rows([whole], True), likelihood_rows([cut], True), strict=True):
        assert a.reference_log_likelihood == pytest.approx(b.reference_log_likelihood, abs=1e-6)


def test_without_reference_and_engine_log_probs_they_are_unknown():
    bare = experience(3)
    bare.base_action_log_probs = bare.rollout_log_probs = None
    for row in likelihood_rows([bare], has_reference=False):
        assert row.reference_log_likelihood is row.train_inference_gap is row.replay_gap is None
