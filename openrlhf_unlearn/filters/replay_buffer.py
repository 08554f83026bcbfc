"""Positive rollouts kept for prompts that sample none later: bounded, by prompt, each replayed at most so often.

Bounds: `per_prompt` rollouts a prompt and `total` over all; when either is passed the oldest goes, of the prompt or of
all. A rollout is its tokens and masks on the CPU, about 40 bytes a token, so 4,096 responses of 1,000 tokens are
roughly 160 MB, in memory and in each checkpoint.
"""

import itertools
import random
from dataclasses import dataclass, replace

from openrlhf_unlearn.filters.base import Rollout


@dataclass
class Stored:
    """One rollout in the buffer; `age` orders all of them, `uses` counts its replays."""

    rollout: Rollout
    age: int
    uses: int = 0


class ReplayBuffer:
    """Stored positives by prompt id. A rollout that was replayed `limit` times is gone."""

    def __init__(self, limit: int, per_prompt: int = 8, total: int = 4096):
        self.limit, self.per_prompt, self.total = limit, per_prompt, total
        self._stored: dict[str, list[Stored]] = {}
        self._size = 0
        self._next_age = 0

    def __len__(self) -> int:
        return self._size

    def available(self, prompt_id: str) -> int:
        return len(self._stored.get(prompt_id, ()))

    def add(self, prompt_id: str, rollouts: list[Rollout]) -> None:
        for rollout in rollouts:
            self._stored.setdefault(prompt_id, []).append(Stored(rollout, self._next_age))
            self._next_age += 1
            self._size += 1
            if self.available(prompt_id) > self.per_prompt:
                self._drop(prompt_id, 0)
            elif self._size > self.total:
                # Each prompt's list is in order of age, so the oldest of all is the first of some prompt.
                self._drop(min(self._stored, key=lambda name: self._stored[name][0].age), 0)

    def take(self, prompt_id: str, n: int, rng: random.Random) -> list[Rollout]:
        """Replay `n` distinct rollouts of the prompt, drawn uniformly; ValueError if there are fewer."""
        chosen = rng.sample(self._stored.get(prompt_id, []), n)
        for stored in chosen:
            stored.uses += 1
        for i in reversed(range(self.available(prompt_id))):
            if self._stored[prompt_id][i].uses >= self.limit:
                self._drop(prompt_id, i)
        return [replace(stored.rollout, replayed=True) for stored in chosen]

    def _drop(self, prompt_id: str, index: int) -> None:
        del self._stored[prompt_id][index]
        self._size -= 1
        if not self._stored[prompt_id]:
            del self._stored[prompt_id]

    def state_dict(self) -> dict:
        entries = {name: [(s.rollout, s.age, s.uses) for s in stored] for name, stored in self._stored.items()}
        return {"stored": entries, "next_age": self._next_age}

    def load_state_dict(self, state: dict) -> None:
        self._stored = {name: list(itertools.starmap(Stored, entries)) for name, entries in state["stored"].items()}
        self._size = sum(map(len, self._stored.values()))
        self._next_age = state["next_age"]
