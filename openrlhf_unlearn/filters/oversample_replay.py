"""Oversampling with replay (paper, section 4.1 and Algorithm 1): a group of exactly P positives and k - P negatives.

`factor` x k rollouts of the prompt are sampled under the current policy. The positives and the negatives that train
are each drawn uniformly from them. A prompt that sampled too few positives takes stored ones of its own, each at most
`replay_limit` times. A prompt that still has too few, or too few negatives, does not train.

The paper's released code keeps a uniform k of the oversampled rollouts instead; this is the paper's algorithm.
"""

import random

from openrlhf_unlearn.filters.base import Decision, FilterConfig, Group, SampleFilter
from openrlhf_unlearn.filters.replay_buffer import ReplayBuffer


class OversampleReplayFilter(SampleFilter):
    """State: the replay buffer and each prompt's number of visits, which seeds its draws.

    Draws depend on seed, prompt and visit alone, not on the order in which groups come back from the engines.
    """

    def __init__(self, config: FilterConfig):
        super().__init__(config)
        self.total = config.oversample_factor * config.k
        self.negatives_per_group = config.k - config.positives_per_group
        self.samples_per_wave = config.k if config.adaptive else self.total
        self.buffer = ReplayBuffer(config.replay_limit)
        self.visits: dict[str, int] = {}

    def wants_more(self, group: Group) -> int:
        """Adaptive: another wave of k unless the group can be filled, or the negatives no longer can be.

        Waves are a prefix of the fixed draw and stopping looks at counts of rewards only, so acceptance is the same
        event as with the fixed draw, and the kept rollouts are uniform draws from the same conditional distributions.
        """
        sampled = len(group.rollouts)
        negatives = sampled - group.n_positive
        filled = group.n_positive >= self.config.positives_per_group and negatives >= self.negatives_per_group
        futile = negatives + self.total - sampled < self.negatives_per_group
        if filled or futile or sampled >= self.total:
            return 0
        return min(self.config.k, self.total - sampled)

    def decide(self, group: Group) -> Decision:
        rng = self._rng(group.prompt_id)
        positives = [rollout for rollout in group.rollouts if rollout.positive]
        negatives = [rollout for rollout in group.rollouts if not rollout.positive]
        wanted = self.config.positives_per_group
        missing = max(0, wanted - len(positives))
        if len(negatives) < self.negatives_per_group:
            decision = Decision(False, "too_few_negatives")
        elif missing > self.buffer.available(group.prompt_id):
            decision = Decision(False, "too_few_positives" if positives else "no_positive")
        else:
            kept = rng.sample(positives, wanted - missing) + self.buffer.take(group.prompt_id, missing, rng)
            decision = Decision(True, "accepted", (*kept, *rng.sample(negatives, self.negatives_per_group)))
        self.buffer.add(group.prompt_id, positives)
        return decision

    def _rng(self, prompt_id: str) -> random.Random:
        visit = self.visits.get(prompt_id, 0)
        self.visits[prompt_id] = visit + 1
        return random.Random(f"{self.config.seed}:{prompt_id}:{visit}")

    def state_dict(self) -> dict:
        return {"buffer": self.buffer.state_dict(), "visits": dict(self.visits)}

    def load_state_dict(self, state: dict) -> None:
        self.buffer.load_state_dict(state["buffer"])
        self.visits = dict(state["visits"])
