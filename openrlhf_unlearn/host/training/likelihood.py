"""How likely each prompt's correct rollouts are under the reference policy (paper, Figure 3), and how far the trainer's
log-probs are from the engines' on the same tokens, by prompt.

Both are read from the experiences that the host has made anyway; no forward pass is added. All log-likelihoods are a
rollout's mean over its response tokens, in nats, then the mean over rollouts.
"""

import statistics
from collections import defaultdict

import torch

from openrlhf_unlearn.host.training.marks import REPLAYED, marked_ids, marked_positive, marked_replayed
from openrlhf_unlearn.store.training import Likelihood


def token_mean(values: torch.Tensor, mask: torch.Tensor) -> list[float]:
    """Mean over each rollout's response tokens: (rollouts, tokens) → one number a rollout."""
    mask = mask.to(torch.float64)
    return ((values.to(torch.float64) * mask).sum(-1) / mask.sum(-1).clamp(min=1)).tolist()


def reference_means(experience, policy: list[float], has_reference: bool) -> list[float] | None:
    """Each rollout's log-likelihood under the reference; None without one.

    With KL in the reward rather than the loss, the host keeps only each rollout's mean difference to the policy.
    """
    if experience.base_action_log_probs is not None:
        return token_mean(experience.base_action_log_probs, experience.action_mask)
    if not has_reference:
        return None
    return [p - d for p, d in zip(policy, experience.info["logprobs_diff"].flatten().tolist(), strict=True)]


def likelihood_rows(experiences: list, has_reference: bool) -> list:
    """The `Likelihood.Row`s from one step's experiences, as the host's experience maker returns them."""
    found = defaultdict(lambda: {"reference": [], "policy": [], "fresh": [], "replayed": []})
    for experience in experiences:
        mask = experience.action_mask
        policy = token_mean(experience.action_log_probs, mask)
        reference = reference_means(experience, policy, has_reference)
        engine = experience.rollout_log_probs
        gap = None if engine is None else token_mean((experience.action_log_probs - engine).abs(), mask)
        info = experience.info
        marks = zip(marked_ids(info), marked_positive(info), marked_replayed(info), strict=True)
        for i, (name, positive, replayed) in enumerate(marks):
            values = found[name]
            if positive:
                values["policy"].append(policy[i])
                if reference is not None:
                    values["reference"].append(reference[i])
            if gap is not None:
                values["replayed" if replayed else "fresh"].append(gap[i])
    return [
        Likelihood.Row(
            prompt_id=name,
            n_positive=len(values["policy"]),
            reference_log_likelihood=_mean(values["reference"]),
            policy_log_likelihood=_mean(values["policy"]),
            train_inference_gap=_mean(values["fresh"]),
            replay_gap=_mean(values["replayed"]),
        )
        for name, values in found.items()
    ]


def start_from_stored(experiences: list) -> None:
    """Old log-probs of replayed rollouts: those that the engine sampled by, in place of the recomputed ones."""
    for experience in experiences:
        if REPLAYED in experience.info:
            rows = experience.info[REPLAYED].flatten().bool()
            old = experience.action_log_probs
            old[rows] = experience.rollout_log_probs[rows].to(old.dtype)


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None
