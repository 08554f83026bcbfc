"""How many response tokens of each prompt get no gradient from the host's loss (paper, Figure 4), without touching it.

A forward hook on the host's PolicyLoss computes the loss of the same inputs once more, alone, and looks at its
gradient: a token counts as clipped where the gradient by its log-prob is zero although its advantage is not. So it is
right for whatever the host offers: ratios by token or (GSPO) by sequence, dual clip, importance correction that masks.
Rollouts are told apart by the mark that they got when they were judged, before any shaping or penalty.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

import torch

from openrlhf_unlearn.host.training.marks import marked_ids, marked_positive
from openrlhf_unlearn.store.training import Clipping

if TYPE_CHECKING:
    from openrlhf.trainer.ppo_utils.experience import Experience

# prompt_id → [clipped, all tokens, rollouts] of its positive rollouts, then the same of its negative ones
Counts = dict[str, list[int]]


def clipped_tokens(loss, log_probs: torch.Tensor, *others, action_mask: torch.Tensor, **kwargs) -> torch.Tensor:
    """Tokens of each rollout that the host's loss leaves without a gradient: (rollouts, tokens) in, (rollouts,) out.

    The arguments are those of PolicyLoss.forward. The cost is that of a few elementwise operations.
    """
    leaf = log_probs.detach().requires_grad_()
    with torch.enable_grad():
        value = loss.forward(leaf, *others, action_mask=action_mask, **kwargs)[0]  # `loss(...)` would call the hook
        (gradient,) = torch.autograd.grad(value, leaf)
    advantages = others[1]
    return ((gradient == 0) & (advantages != 0) & action_mask.bool()).sum(-1)


class ClipCounter:
    """Sums clipped tokens by prompt over the micro-batches of one training step on one rank."""

    experience: "Experience"  # what the loss is about to see; set by the actor's training step

    def __init__(self):
        self.counts: Counts = defaultdict(lambda: [0] * 6)

    def attach(self, loss: torch.nn.Module) -> None:
        loss.register_forward_hook(self._observe, with_kwargs=True)

    def _observe(self, loss, inputs, kwargs, output) -> None:
        """Forward hook of PolicyLoss(log_probs, old_log_probs, advantages, action_mask=…); returns nothing."""
        clipped = clipped_tokens(loss, *inputs, **kwargs).tolist()
        tokens = kwargs["action_mask"].sum(-1).tolist()
        info = self.experience.info
        for i, (name, positive) in enumerate(zip(marked_ids(info), marked_positive(info), strict=True)):
            side = 0 if positive else 3
            count = self.counts[name]
            count[side] += int(clipped[i])
            count[side + 1] += int(tokens[i])
            count[side + 2] += 1

    def take(self) -> Counts:
        """The counts since the last call."""
        counts, self.counts = dict(self.counts), defaultdict(lambda: [0] * 6)
        return counts


def clipping_rows(ranks: list[Counts]) -> list:
    """The `Clipping.Row`s from the counts of all data-parallel ranks; a prompt may be split over several.

    Rollouts are counted once for each epoch over the batch (`--train.max_epochs`).
    """
    total: Counts = defaultdict(lambda: [0] * 6)
    for counts in ranks:
        for name, values in counts.items():
            total[name] = [a + b for a, b in zip(total[name], values, strict=True)]
    return [
        Clipping.Row(
            prompt_id=name,
            positive_clip_fraction=positive / positive_tokens if positive_tokens else None,
            negative_clip_fraction=negative / negative_tokens if negative_tokens else None,
            n_positive=n_positive,
            n_negative=n_negative,
        )
        for name, (positive, positive_tokens, n_positive, negative, negative_tokens, n_negative) in total.items()
    ]
