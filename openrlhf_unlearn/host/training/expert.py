"""Expert traces in the replay buffer, and LUFFY's policy shaping of them (arXiv 2504.14945).

`--unlearn.expert_traces FILE` takes right responses of a stronger model (`openrlhf-unlearn sft-set` writes them) and
puts them into the buffer of `oversample_replay`, from which a prompt that samples too few positives takes them as it
takes its own. Their log-probs are recomputed under the policy, or stored: `log_probs` of a row, one a token, or 0
without, which stands for an expert that is certain.

`--unlearn.expert_shaping G` gives each token of an expert's trace the weight f(p) = p / (p + G) with p its probability
under the policy, unclipped, in place of a ratio. Its gradient is largest at p = G, so unlikely tokens are learned and
certain ones left alone; a ratio to a certain expert would be p itself, whose gradient vanishes where the trace is new.
The host's loss computes it: with old log-probs of 0 and log f(p) as new ones its ratio is f(p), below any clip.
"""

from typing import TYPE_CHECKING

import torch

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.json_rows import json_rows
from openrlhf_unlearn.host.training.marks import marked_expert

if TYPE_CHECKING:
    from openrlhf.trainer.ppo_utils.experience import Experience


def read_traces(path: str) -> list[dict]:
    """Rows with `prompt_id`, `response` and perhaps `log_probs`. Raises UserError if the file has none."""
    return json_rows("--unlearn.expert_traces", path, ("prompt_id", "response"), "sft-set")


def as_response(row: dict, prompt, tokenizer, with_log_probs: bool) -> dict:
    """A trace as the host's engines would have returned it, for the host to make an experience of.

    `with_log_probs`: whether the engines report them, since a batch holds either all or none.
    """
    before = tokenizer(text=prompt.text, add_special_tokens=False)["input_ids"]
    tokens = tokenizer(text=row["response"], add_special_tokens=False)["input_ids"]
    if tokenizer.eos_token_id is not None and tokens[-1:] != [tokenizer.eos_token_id]:
        tokens = [*tokens, tokenizer.eos_token_id]
    log_probs = row.get("log_probs") or [0.0] * len(tokens)
    if len(log_probs) != len(tokens):
        raise UserError(
            f"--unlearn.expert_traces: the trace of prompt {prompt.id} has {len(tokens)} tokens (its end included) and "
            f"{len(log_probs)} log_probs"
        )
    return {
        "prompt": prompt.text,
        "label": prompt.label,
        "images": prompt.images,
        "mm_train_inputs": None,
        "observation_tokens": [*before, *tokens],
        "action_ranges": [(len(before), len(before) + len(tokens))],
        "rollout_log_probs": [0.0] * len(before) + list(log_probs) if with_log_probs else None,
        "truncated": False,
        "reward": 1.0,
        "scores": 1.0,
        "extra_logs": {},
    }


class PolicyShaping:
    """A forward pre-hook of the host's PolicyLoss. `experience` is what the loss is about to see."""

    experience: "Experience"

    def __init__(self, gamma: float):
        self.gamma = gamma

    def attach(self, loss: torch.nn.Module) -> None:
        if self.gamma:
            loss.register_forward_pre_hook(self._shape, with_kwargs=True)

    def _shape(self, loss, inputs, kwargs):
        """PolicyLoss(log_probs, old_log_probs, advantages, action_mask=…, rollout_log_probs=…), (rollouts, tokens)."""
        rows = torch.tensor(marked_expert(self.experience.info), device=inputs[0].device)
        if not rows.any():
            return None
        log_probs, old, *rest = inputs
        shaped = log_probs - torch.log(log_probs.exp() + self.gamma)
        log_probs, old = torch.where(rows[:, None], shaped, log_probs), torch.where(rows[:, None], 0.0, old)
        engine = kwargs.get("rollout_log_probs")
        if engine is not None:  # the importance correction's ratio is of the same pair
            kwargs = {**kwargs, "rollout_log_probs": torch.where(rows[:, None], 0.0, engine)}
        return (log_probs, old, *rest), kwargs


def like(experience, fresh) -> None:
    """Give an expert's experience the fields that a fresh rollout of its group has: a batch holds all or none."""
    experience.scores = experience.scores if fresh.scores is not None else None
    found = experience.info
    experience.info = {name: found.get(name, torch.zeros_like(value)) for name, value in fresh.info.items()}
