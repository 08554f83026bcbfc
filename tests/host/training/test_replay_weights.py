"""What multiplies the gradient of a replayed rollout: the host's own PolicyLoss against the weights of docs/filters.md.

b: log-probs of the policy that sampled the rollout; s: of the policy at the start of the step; p: of the policy as it
updates. All gradients are of tokens with a positive advantage, as a replayed rollout's are.
"""

import pytest
import torch
from openrlhf.models.loss import PolicyLoss
from openrlhf.trainer.ppo_utils.experience import Experience

from openrlhf_unlearn.host.training.likelihood import start_from_stored
from openrlhf_unlearn.host.training.marks import REPLAYED

LOW, HIGH, CLIP, ADVANTAGE = 0.5, 5.0, 0.2, 2.5
# Two replayed rollouts of five tokens, as s / b: a token nearly unlearned, one less likely, as it was, more, far more.
NOW_OVER_THEN = torch.tensor([[0.1, 0.7, 1.0, 1.5, 8.0], [0.05, 0.1, 0.2, 0.4, 0.3]])
DURING_STEP = torch.tensor([[1.0, 1.0, 1.1, 1.3, 0.7], [1.0, 0.7, 1.1, 1.3, 1.0]])  # p / s, later in the step


def weights(level, replay, during, mode="mask", loss_type="ppo"):
    """(2, 5): the gradient of minus the loss with respect to p, over advantage and number of tokens."""
    b = torch.full((2, 5), -2.0)
    s = b + NOW_OVER_THEN.log()
    batch = Experience(action_log_probs=s.clone(), rollout_log_probs=b, info={REPLAYED: torch.ones(2)})
    if replay == "stored":
        start_from_stored([batch])
    p = (s + during.log()).requires_grad_()
    loss = PolicyLoss(
        CLIP, CLIP, policy_loss_type=loss_type, is_correction_level=level, is_correction_mode=mode,
        is_correction_threshold=[LOW, HIGH],
    )  # fmt: skip
    value, *_ = loss(
        p, batch.action_log_probs, torch.full((2, 5), ADVANTAGE), action_mask=torch.ones(2, 5), rollout_log_probs=b
    )
    value.backward()
    return -p.grad * 10 / ADVANTAGE


def clipped(ratio):
    """A positive advantage pushes by the ratio up to 1 + clip, and no more above; below 1 - clip it still pushes."""
    return torch.where(ratio <= 1 + CLIP, ratio, 0.0)


def band(ratio, statistic):
    return torch.where((statistic >= LOW) & (statistic <= HIGH), ratio, 0.0)


STEPS = pytest.mark.parametrize("during", [torch.ones(2, 5), DURING_STEP], ids=["first update", "later update"])


@STEPS
def test_recomputed_without_correction_pushes_as_if_just_sampled(during):
    """The weight is p / s, 1 at first, whatever became of the rollout since it was sampled."""
    assert torch.allclose(weights("off", "recomputed", during), clipped(during))


@STEPS
def test_recomputed_with_token_correction_weighs_by_current_over_sampling_policy(during):
    """p / s x s / b, where a token outside [0.5, 5] of s / b does not push at all."""
    expected = clipped(during) * band(NOW_OVER_THEN, NOW_OVER_THEN)
    assert torch.allclose(weights("token", "recomputed", during), expected, atol=1e-6)
    assert (expected[0] == 0).any() and (expected[0] > 1).any()


@STEPS
def test_recomputed_with_token_correction_that_clips_pushes_by_at_least_the_lower_bound(during):
    expected = clipped(during) * NOW_OVER_THEN.clamp(LOW, HIGH)
    assert torch.allclose(weights("token", "recomputed", during, mode="clip"), expected, atol=1e-6)


@STEPS
def test_recomputed_with_sequence_correction_drops_whole_rollouts(during):
    """By the geometric mean of s / b; the tokens of a rollout that stays keep their s / b, however large."""
    mean = NOW_OVER_THEN.log().mean(-1, keepdim=True).exp()
    assert mean.flatten().tolist() == pytest.approx([0.966, 0.165], abs=1e-3)
    expected = clipped(during) * band(NOW_OVER_THEN, mean)
    assert torch.allclose(weights("seq", "recomputed", during), expected, atol=1e-6)
    assert (expected[1] == 0).all() and expected[0].max() > HIGH


@STEPS
@pytest.mark.parametrize(("level", "mode"), [("off", "mask"), ("token", "mask"), ("token", "clip"), ("seq", "mask")])
def test_stored_weighs_by_current_over_sampling_policy_up_to_the_clip_and_correction_adds_nothing(during, level, mode):
    """p / b, 0 above 1 + clip: a token that has become likelier does not push, one that was unlearned pushes little.

    With stored log-probs the correction's own ratio is 1. Without correction the engines report none, so that pair is
    refused by the launcher; the loss itself would do the same.
    """
    assert torch.allclose(weights(level, "stored", during, mode), clipped(during * NOW_OVER_THEN), atol=1e-6)


@STEPS
def test_gspo_with_correction_does_not_see_the_old_log_probs(during):
    """Its sequence ratio is p / b then, so that recomputed and stored are the same; without correction it is p / s."""
    ratio = (during * NOW_OVER_THEN).log().mean(-1, keepdim=True).exp()
    for replay in ("recomputed", "stored"):
        for level in ("token", "seq"):
            found = weights(level, replay, during, loss_type="gspo")
            assert torch.allclose(found, clipped(ratio).expand(2, 5), atol=1e-5)
    plain = weights("off", "recomputed", during, loss_type="gspo")
    assert torch.allclose(plain, clipped(during.log().mean(-1, keepdim=True).exp()).expand(2, 5), atol=1e-5)


def test_stored_log_probs_are_put_for_replayed_rollouts_alone():
    now, then = torch.zeros(3, 2), torch.ones(3, 2)
    mixed = Experience(
        action_log_probs=now.clone(), rollout_log_probs=then, info={REPLAYED: torch.tensor([0.0, 1.0, 0.0])}
    )
    fresh = Experience(action_log_probs=now.clone(), rollout_log_probs=then)
    start_from_stored([mixed, fresh])
    assert mixed.action_log_probs.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert fresh.action_log_probs.tolist() == now.tolist()
