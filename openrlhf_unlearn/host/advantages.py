"""`--unlearn.advantage`: what a group's rewards become before they weigh log-probs, in place of the host's estimator.

A function of two tensors of shape (groups, k), the rewards that train (penalties included) and whether each rollout is
positive, to the advantages, (groups, k). Built in:

- `maxrl`: (x - mean x) / mean x of the positives x (MaxRL, arXiv 2602.02710). The expected gradient is that of
  sum_j pass@j / j for j = 1 … k - 1, which tends to log pass@1: a prompt that passes with rate p weighs 1 / p times as
  much as in REINFORCE, where GRPO's standard deviation gives 1 / sqrt(p (1 - p)).

Your own: `--unlearn.advantage path.py:function`. The host computes the rest: its estimator is set to `dr_grpo`, whose
own advantage, reward less group mean, is taken off again; a KL term in the reward stays.
"""

import itertools
from collections.abc import Callable
from typing import cast

import torch

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters.registry import user_object
from openrlhf_unlearn.host.training.marks import marked_positive

Advantage = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def maxrl(rewards: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    hit = positive.to(rewards.dtype)
    mean = hit.mean(-1, keepdim=True)
    return torch.where(mean > 0, (hit - mean) / mean.clamp(min=1 / hit.shape[-1]), 0.0)


ADVANTAGES: dict[str, Advantage] = {"maxrl": maxrl}


def load_advantage(spec: str | None) -> Advantage | None:
    """The function called `spec`, None for the host's own. Raises UserError if it cannot be found."""
    if spec is None:
        return None
    if spec in ADVANTAGES:
        return ADVANTAGES[spec]
    found = user_object("--unlearn.advantage", spec, ADVANTAGES)
    if not callable(found):
        raise UserError(f"--unlearn.advantage {spec}: it is no function of rewards and positives")
    return cast(Advantage, found)  # what it returns is checked where it is called


def replace_advantages(experiences: list, advantage: Advantage, k: int, clip: tuple[float, float] | None) -> None:
    """Change the token advantages and returns that the host's `dr_grpo` made of one step's experiences.

    Groups are taken as the host takes them, k by k in the order of `index`. UserError if the function gives no (groups,
    k) of finite numbers.
    """
    index = torch.tensor(list(itertools.chain.from_iterable(experience.index for experience in experiences)))
    rewards, positive = torch.empty(len(index)), torch.empty(len(index), dtype=torch.bool)
    rewards[index] = torch.cat([experience.rewards.float().cpu() for experience in experiences])
    positive[index] = torch.tensor([hit for experience in experiences for hit in marked_positive(experience.info)])
    rewards, positive = rewards.reshape(-1, k), positive.reshape(-1, k)
    wanted = advantage(rewards, positive)
    if not isinstance(wanted, torch.Tensor) or wanted.shape != rewards.shape or not wanted.isfinite().all():
        raise UserError(f"--unlearn.advantage must return finite numbers of shape {tuple(rewards.shape)}, (groups, k)")
    made = rewards - rewards.mean(-1, keepdim=True)
    more = (wanted - (made.clamp(*clip) if clip else made)).flatten()[index]
    sizes = [len(experience.index) for experience in experiences]
    for experience, shift in zip(experiences, more.split(sizes), strict=True):
        shift = shift[:, None].to(experience.advantages) * experience.action_mask
        experience.advantages = experience.advantages + shift
        experience.returns = experience.returns + shift
