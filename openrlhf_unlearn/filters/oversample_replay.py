"""Oversampling with replay (paper, section 4.1 and Algorithm 1): a group of exactly P positives and k - P negatives.

`factor` x k rollouts of the prompt are sampled under the current policy. The positives and the negatives that train
are each drawn uniformly from them. A prompt that sampled too few positives takes stored ones of its own, each at most
`replay_limit` times. A prompt that still has too few, or too few negatives, does not train.

The paper's released code keeps a uniform k of the oversampled rollouts instead; this is the paper's algorithm. The
buffer keeps of each visit the positives that were drawn to train, not the surplus: adaptive waves never sample the
surplus, and so both ways fill the buffer alike (docs/filters.md).
"""

import random
from math import comb
from typing import Any

from openrlhf_unlearn.filters.base import Decision, FilterConfig, Group, Rollout, SampleFilter
from openrlhf_unlearn.filters.dryness import Dryness
from openrlhf_unlearn.filters.replay_buffer import ReplayBuffer
from openrlhf_unlearn.filters.waves import next_wave


class OversampleReplayFilter(SampleFilter):
    """State: the replay buffer, each prompt's number of visits, its rollouts since the last positive, its dryness.

    Draws depend on seed, prompt and visit alone, not on the order in which groups come back from the engines.
    """

    def __init__(self, config: FilterConfig):
        super().__init__(config)
        self.total = config.oversample_factor * config.k
        self.samples_per_wave = config.k if config.adaptive else self.total
        self.buffer = ReplayBuffer(config.replay_limit, config.buffer_per_prompt, config.buffer_bytes, config.pack)
        self.dryness = Dryness(config)
        self.visits: dict[str, int] = {}
        self.dry: dict[str, int] = {}

    def wants_more(self, group: Group) -> int:
        if not self.config.adaptive:
            return 0
        negatives = len(group.rollouts) - group.n_positive
        return next_wave(self.config, group.n_positive, negatives, self.dry.get(group.prompt_id, 0))

    def seed(self, prompt_id: str, rollouts: list[Rollout]) -> None:
        self.buffer.add(prompt_id, rollouts)

    def stuck(self, group: Group) -> bool:
        return not group.n_positive and self.buffer.available(group.prompt_id) < self.config.positives_per_group

    def enough_negatives(self, rate: float) -> float:
        most = self.total - (self.config.k - self.config.positives_per_group)  # positives that leave enough
        return sum(comb(self.total, x) * rate**x * (1 - rate) ** (self.total - x) for x in range(most + 1))

    def makes_up(self, prompt_id: str) -> bool:
        return self.buffer.available(prompt_id) >= self.config.positives_per_group

    def decide(self, group: Group) -> Decision:
        name, wanted = group.prompt_id, self.config.positives_per_group
        positives = [rollout for rollout in group.rollouts if rollout.positive]
        negatives = [rollout for rollout in group.rollouts if not rollout.positive]
        rng = self._rng(name)
        fresh = rng.sample(positives, min(wanted, len(positives)))
        missing = wanted - len(fresh)
        if len(negatives) < self.config.k - wanted:
            decision = Decision(False, "too_few_negatives")
        elif missing > self.buffer.available(name):
            decision = Decision(False, self._lack_of_positives(group))
        else:
            kept = fresh + self.buffer.take(name, missing, rng) + rng.sample(negatives, self.config.k - wanted)
            decision = Decision(True, "accepted", tuple(kept))
        self.buffer.add(name, fresh, self.dryness.visit(group))
        self.dry[name] = 0 if positives else self.dry.get(name, 0) + len(negatives)
        return decision

    def _lack_of_positives(self, group: Group) -> str:
        if group.n_positive:
            return "too_few_positives"
        return "no_positive" if len(group.rollouts) >= self.total else "given_up"

    def _rng(self, prompt_id: str) -> random.Random:
        visit = self.visits.get(prompt_id, 0)
        self.visits[prompt_id] = visit + 1
        return random.Random(f"{self.config.seed}:{prompt_id}:{visit}")

    def metrics(self) -> dict[str, float]:
        return {
            "unlearn/replay_memory_gb": self.buffer.nbytes / 1e9,
            "unlearn/replay_evicted": float(self.buffer.evicted),
        }

    def state_dict(self) -> dict[str, Any]:
        return {
            "buffer": self.buffer.state_dict(),
            "visits": dict(self.visits),
            "dry": dict(self.dry),
            "dryness": self.dryness.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.buffer.load_state_dict(state["buffer"])
        self.visits = dict(state["visits"])
        self.dry = dict(state["dry"])
        self.dryness.load_state_dict(state["dryness"])
