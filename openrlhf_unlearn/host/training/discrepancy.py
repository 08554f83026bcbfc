"""`--unlearn.loss discrepancy_constrained`: a bound on how far the trainer's log-probs may be from the engines'.

After arXiv 2606.08779: the gap of a prompt, the mean over its response tokens of |log p_trainer - log p_engine|, may
be up to a tolerance. Each prompt has a Lagrange multiplier that grows with what the gap is beyond the tolerance and
shrinks with what it is short of it, between 0 and 1. Rollouts outside the tolerance are pulled back by the gradient of
multiplier x (log p_trainer - log p_engine)^2 / 2: multiplier x their difference on each token's log-prob. It is added
as what it is, a change of the token's advantage, of at most 1, so the host aggregates and clips it with the rest.
Inside the tolerance nothing is changed, nor are replayed rollouts and expert traces: their difference is of another
policy, not of the engines.

The bound of 1 is ours: a multiplier that goes on growing makes the pull overshoot, and the gap larger.

The multipliers are a function of the run directory's `likelihood/` alone, so a resume finds them there.
"""

from collections.abc import Iterable

import torch

from openrlhf_unlearn.host.training.likelihood import token_mean
from openrlhf_unlearn.host.training.marks import marked_ids, marked_replayed
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Likelihood


class Multipliers:
    """Prompt id → Lagrange multiplier, 0 at first. A tolerance of None switches everything off."""

    def __init__(self, tolerance: float | None, rate: float):
        self.tolerance, self.rate = tolerance, rate
        self.of: dict[str, float] = {}

    def read(self, run: RunDir) -> None:
        """Take up what the steps that were written say."""
        self.of.clear()
        if self.tolerance is not None:
            self.update(Likelihood.read(run, Likelihood.prompt_id, Likelihood.train_inference_gap).rows())

    def update(self, rows: Iterable) -> None:
        """`rows`: `Likelihood.Row`s of one step or of several in order; a gap of None says nothing."""
        for row in rows if self.tolerance is not None else ():
            name, gap = row.prompt_id, row.train_inference_gap
            if gap is not None:
                value = self.of.get(name, 0.0) + self.rate * (gap - self.tolerance)
                self.of[name] = min(max(value, 0.0), 1.0)

    def constrain(self, experiences: list) -> None:
        """Change the advantages of the rollouts that are outside; those inside stay as they are, to the bit."""
        tolerance = self.tolerance
        if tolerance is None or not self.of:
            return
        for experience in experiences:
            apart = experience.action_log_probs - experience.rollout_log_probs
            gaps = token_mean(apart.abs(), experience.action_mask)
            names, replayed = marked_ids(experience.info), marked_replayed(experience.info)
            weights = [
                self.of.get(name, 0.0) * (gap > tolerance and not old)
                for name, gap, old in zip(names, gaps, replayed, strict=True)
            ]
            pull = torch.tensor(weights)[:, None] * apart.clamp(-1, 1).cpu() * experience.action_mask.cpu()
            if pull.any():
                experience.advantages = experience.advantages - pull.to(experience.advantages)

    def metrics(self) -> dict[str, float]:
        if not self.of:
            return {}
        values = list(self.of.values())
        return {
            "unlearn/discrepancy_constrained": sum(value > 0 for value in values) / len(values),
            "unlearn/discrepancy_multiplier": sum(values) / len(values),
        }
