"""Positive rollouts kept for prompts that sample none later: by prompt, within a bound on memory.

Of one prompt the newest `per_prompt` are kept. When all together take more than `memory` bytes, the oldest goes of the
prompt for which it is worth least: a stored rollout is worth the chance that the prompt comes up dry once more often
than the prompt's other stored rollouts could fill. So prompts that always sample positives give way first, and hard
ones last. What goes depends on prompts and counts, never on a rollout's content.
"""

import heapq
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from openrlhf_unlearn.filters.base import Rollout, as_it_is

OVERHEAD = 320  # bytes of the objects around one stored payload, measured


@dataclass(slots=True)
class Stored:
    """One rollout in the buffer; `age` orders all of them, `uses` counts its replays."""

    rollout: Rollout
    age: int
    uses: int = 0

    @property
    def nbytes(self) -> int:
        payload = self.rollout.payload
        return OVERHEAD + (payload.nbytes if hasattr(payload, "nbytes") else sys.getsizeof(payload))


class ReplayBuffer:
    """Stored positives by prompt id. A rollout that was replayed `limit` times is gone.

    Adding and taking cost O(log prompts).
    """

    def __init__(self, limit: int, per_prompt: int = 8, memory: float = 4e9, pack: Callable[[Any], Any] = as_it_is):
        self.limit, self.per_prompt, self.memory, self.pack = limit, per_prompt, memory, pack
        self._clear()

    def _clear(self) -> None:
        self.nbytes = 0
        self.evicted = 0  # rollouts that had to go for want of memory
        self._stored: dict[str, list[Stored]] = {}  # each prompt's in order of age
        self._chance: dict[str, float] = {}
        self._next_age = 0
        # What goes first is at the heap's top. An entry that is no longer its prompt's in `_worth` counts for nothing.
        self._worth: dict[str, tuple[float, int, str]] = {}
        self._heap: list[tuple[float, int, str]] = []

    def __len__(self) -> int:
        return sum(map(len, self._stored.values()))

    def available(self, prompt_id: str) -> int:
        return len(self._stored.get(prompt_id, ()))

    def add(self, prompt_id: str, rollouts: list[Rollout], chance: float = 1.0) -> None:
        """Store `rollouts`; from now on `chance` is how likely the prompt's next visit is to come up dry."""
        for rollout in rollouts:
            payload = self.pack(rollout.payload)
            if payload is None and rollout.payload is not None:  # the host cannot keep it
                continue
            stored = Stored(replace(rollout, payload=payload), self._next_age)
            self._stored.setdefault(prompt_id, []).append(stored)
            self._next_age += 1
            self.nbytes += stored.nbytes
            if self.available(prompt_id) > self.per_prompt:
                self._drop(prompt_id, 0)
        self._chance[prompt_id] = chance
        self._weigh(prompt_id)
        self._evict()

    def take(self, prompt_id: str, n: int, rng: random.Random) -> list[Rollout]:
        """Replay `n` distinct rollouts of the prompt, drawn uniformly; ValueError if there are fewer."""
        chosen = rng.sample(self._stored.get(prompt_id, []), n)
        for stored in chosen:
            stored.uses += 1
        for i in reversed(range(self.available(prompt_id))):
            if self._stored[prompt_id][i].uses >= self.limit:
                self._drop(prompt_id, i)
        self._weigh(prompt_id)
        return [replace(stored.rollout, replayed=True) for stored in chosen]

    def _drop(self, prompt_id: str, index: int) -> None:
        self.nbytes -= self._stored[prompt_id].pop(index).nbytes

    def _weigh(self, prompt_id: str) -> None:
        """Set what the prompt's oldest rollout is worth: nothing to weigh if it has none."""
        stored = self._stored.get(prompt_id)
        if not stored:
            for table in (self._stored, self._chance, self._worth):
                table.pop(prompt_id, None)
            return
        others = sum(self.limit - other.uses for other in stored[1:])
        worth = (self._chance[prompt_id] ** (1 + others), stored[0].age, prompt_id)
        if self._worth.get(prompt_id) != worth:
            self._worth[prompt_id] = worth
            heapq.heappush(self._heap, worth)
        if len(self._heap) > 2 * len(self._worth) + 64:  # mostly entries that count for nothing
            self._heap = sorted(self._worth.values())

    def _evict(self) -> None:
        while self.nbytes > self.memory:
            worth = heapq.heappop(self._heap)
            prompt_id = worth[2]
            if self._worth.get(prompt_id) == worth:
                del self._worth[prompt_id]
                self._drop(prompt_id, 0)
                self.evicted += 1
                self._weigh(prompt_id)

    def state_dict(self) -> dict[str, Any]:
        entries = {name: [[s.rollout, s.age, s.uses] for s in stored] for name, stored in self._stored.items()}
        return {
            "stored": entries,
            "chance": dict(self._chance),
            "next_age": self._next_age,
            "evicted": self.evicted,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._clear()
        self._next_age, self.evicted = state["next_age"], state["evicted"]
        self._chance = dict(state["chance"])
        for name, entries in state["stored"].items():
            self._stored[name] = [Stored(*entry) for entry in entries]
            self.nbytes += sum(stored.nbytes for stored in self._stored[name])
            self._weigh(name)
        self._evict()  # the memory may have been set lower since
