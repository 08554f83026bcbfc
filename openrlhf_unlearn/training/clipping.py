"""How many response tokens of each prompt the host's loss clips (paper, Figure 4), without touching the loss.

A forward hook on the host's PolicyLoss reads the same inputs: a token counts as clipped where the surrogate objective
takes the clipped branch, so that its gradient is zero: ratio > 1 + eps_high with a positive advantage, or
ratio < 1 - eps_low with a negative one. Rollouts are told apart by their reward as graded, before any shaping.
"""

from collections import defaultdict

import torch

from openrlhf_unlearn.run_dir import POSITIVE_THRESHOLD, prompt_id

# prompt_id → [clipped, all tokens, rollouts] of its positive rollouts, then the same of its negative ones
Counts = dict[str, list[int]]


def clipped_tokens(
    log_probs: torch.Tensor,
    old_log_probs: torch.Tensor,
    advantages: torch.Tensor,
    action_mask: torch.Tensor,
    eps_low: float,
    eps_high: float,
    sequence_level: bool = False,
) -> torch.Tensor:
    """Clipped tokens of each rollout: all inputs (rollouts, tokens), the result (rollouts,), integers.

    `sequence_level`: GSPO's ratio, the geometric mean over the response, clips all tokens of a rollout or none.
    """
    log_ratio = log_probs - old_log_probs
    if sequence_level:
        log_ratio = (log_ratio * action_mask).sum(-1, keepdim=True) / action_mask.sum(-1, keepdim=True).clamp(min=1)
    ratio = log_ratio.exp()
    clipped = ((ratio > 1 + eps_high) & (advantages > 0)) | ((ratio < 1 - eps_low) & (advantages < 0))
    return (clipped & action_mask.bool()).sum(-1)


class ClipCounter:
    """Sums clipped tokens by prompt over the micro-batches of one training step on one rank."""

    def __init__(self):
        self.counts: Counts = defaultdict(lambda: [0] * 6)
        self.experience = None  # what the loss is about to see; set by the actor's training step

    def attach(self, loss: torch.nn.Module) -> None:
        loss.register_forward_hook(self._observe, with_kwargs=True)

    @torch.no_grad()
    def _observe(self, loss, inputs, kwargs, output) -> None:
        """Forward hook of PolicyLoss(log_probs, old_log_probs, advantages, action_mask=…); returns nothing."""
        log_probs, old_log_probs, advantages = inputs
        mask = kwargs["action_mask"]
        sequence_level = loss.policy_loss_type == "gspo"
        clipped = clipped_tokens(
            log_probs, old_log_probs, advantages, mask, loss.clip_eps_low, loss.clip_eps_high, sequence_level
        ).tolist()
        tokens = mask.sum(-1).tolist()
        experience = self.experience
        rewards = torch.as_tensor(experience.info["reward"]).flatten().tolist()
        for i, (prompt, label, reward) in enumerate(zip(experience.prompts, experience.labels, rewards, strict=True)):
            side = 0 if reward > POSITIVE_THRESHOLD else 3
            count = self.counts[prompt_id(prompt, label)]
            count[side] += int(clipped[i])
            count[side + 1] += int(tokens[i])
            count[side + 2] += 1

    def take(self) -> Counts:
        """The counts since the last call."""
        counts, self.counts = dict(self.counts), defaultdict(lambda: [0] * 6)
        return counts


def clipping_rows(ranks: list[Counts]) -> list[dict]:
    """The rows of `clipping/` from the counts of all data-parallel ranks; a prompt may be split over several.

    Rollouts are counted once for each epoch over the batch (`--train.max_epochs`).
    """
    total: Counts = defaultdict(lambda: [0] * 6)
    for counts in ranks:
        for name, values in counts.items():
            total[name] = [a + b for a, b in zip(total[name], values, strict=True)]
    return [
        {
            "prompt_id": name,
            "positive_clip_fraction": positive / positive_tokens if positive_tokens else None,
            "negative_clip_fraction": negative / negative_tokens if negative_tokens else None,
            "n_positive": n_positive,
            "n_negative": n_negative,
        }
        for name, (positive, positive_tokens, n_positive, negative, negative_tokens, n_negative) in total.items()
    ]
