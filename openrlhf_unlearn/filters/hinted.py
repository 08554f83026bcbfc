"""Hints on demand: a group without a positive is sampled once more with a hint in the prompt, and may train so.

`hinted` is `hinted+dynamic`; `hinted+NAME` composes with any filter that rejects groups. What trains is chosen by
`--unlearn.hint_trains`:

- `group` (as NuRL, arXiv 2509.25666): the k rollouts of the hinted prompt, if their rewards differ. They are a group of
  that prompt like any other: on-policy, and which visits come to it depends on other rollouts.
- `one` (as Scaf-GRPO, 2510.19807, replaces one of a failed group): one positive of them, drawn uniformly, put behind
  the *plain* prompt beside k - 1 plain negatives. It was sampled from another distribution, so it is weighted as a
  replayed rollout is (docs/remedies.md).

Where rewards differ without a positive (credit for the format), the inner filter would take the plain group; it trains
only where the hinted wave that was paid for does not.

A prompt begins with its smallest hint. The next is larger after a hinted wave without a positive; it is smaller after
one of positives alone, and after a visit that was solved without. A visit with a plain positive takes no hint at all.
"""

import random
from dataclasses import replace
from typing import Any

from openrlhf_unlearn.filters.base import Decision, FilterConfig, Group, Rollout, SampleFilter
from openrlhf_unlearn.filters.dynamic import DynamicFilter


class HintedFilter(SampleFilter):
    """State: each prompt's place among its hints, its number of hinted visits, those whose largest hint brought nothing
    when it was last sampled, and the inner filter's."""

    def __init__(self, config: FilterConfig, inner: SampleFilter | None = None):
        super().__init__(config)
        self.inner = inner or DynamicFilter(config)
        self.samples_per_wave = self.inner.samples_per_wave
        self.level: dict[str, int] = {}
        self.visits: dict[str, int] = {}
        self.in_vain: set[str] = set()
        self._seen = self._hinted = 0  # visits since the last `metrics`

    def wants_more(self, group: Group) -> int:
        if group.hinted:
            return 0
        more = self.inner.wants_more(group)
        return more or (self.config.k if self._needs_hint(group) else 0)

    def hint(self, group: Group) -> str | None:
        if self.inner.wants_more(group) or not self._needs_hint(group):
            return None
        return self.config.hints[group.prompt_id][self.level.get(group.prompt_id, 0)]

    def _needs_hint(self, group: Group) -> bool:
        return group.prompt_id in self.config.hints and self.inner.stuck(group)

    def decide(self, group: Group) -> Decision:
        plain, hinted = Group(group.prompt_id, group.plain), Group(group.prompt_id, group.hinted)
        self._seen += 1
        self._hinted += bool(hinted.rollouts)
        self._move(plain, hinted)
        decision = self.inner.decide(plain)
        if not hinted.rollouts:
            return decision
        by_hint = self._one(plain, hinted) if self.config.hint_trains == "one" else self._group(hinted)
        return by_hint if by_hint.accepted or not decision.accepted else decision

    def _group(self, hinted: Group) -> Decision:
        decision = DynamicFilter(self.config).decide(hinted)
        return replace(decision, reason="hinted" if decision.accepted else "hinted_zero_variance")

    def _one(self, plain: Group, hinted: Group) -> Decision:
        visit = self.visits.get(plain.prompt_id, 0)
        self.visits[plain.prompt_id] = visit + 1
        rng = random.Random(f"{self.config.seed}:hint:{plain.prompt_id}:{visit}")
        positives = [rollout for rollout in hinted.rollouts if rollout.positive]
        negatives = [rollout for rollout in plain.rollouts if not rollout.positive]
        if not positives or len(negatives) < self.config.k - 1:
            return Decision(False, "hinted_no_positive")
        given = replace(rng.choice(positives), replayed=True)
        return Decision(True, "hinted", (given, *rng.sample(negatives, self.config.k - 1)))

    def _move(self, plain: Group, hinted: Group) -> None:
        """Where the prompt's next hint stands."""
        hints, level = self.config.hints.get(plain.prompt_id, ()), self.level.get(plain.prompt_id, 0)
        if hinted.n_positive or plain.n_positive:
            self.in_vain.discard(plain.prompt_id)
        elif hinted.rollouts and level == len(hints) - 1:
            self.in_vain.add(plain.prompt_id)
        if plain.n_positive or (hinted.rollouts and hinted.n_positive == len(hinted.rollouts)):
            level -= 1
        elif hinted.rollouts and not hinted.n_positive:
            level += 1
        if hints:
            self.level[plain.prompt_id] = min(max(level, 0), len(hints) - 1)

    def seed(self, prompt_id: str, rollouts: list[Rollout]) -> None:
        self.inner.seed(prompt_id, rollouts)

    def stuck(self, group: Group) -> bool:
        return self.inner.stuck(group)

    def enough_negatives(self, rate: float) -> float:
        return self.inner.enough_negatives(rate)

    def makes_up(self, prompt_id: str) -> bool:
        hinted = prompt_id in self.config.hints and prompt_id not in self.in_vain
        return hinted or self.inner.makes_up(prompt_id)

    def revisit(self, step: int) -> list[str]:
        return self.inner.revisit(step)

    def metrics(self) -> dict[str, float]:
        own = {"unlearn/hinted_visits": self._hinted / self._seen} if self._seen else {}
        self._seen = self._hinted = 0
        return {**own, **self.inner.metrics()}

    def state_dict(self) -> dict[str, Any]:
        own = {"level": dict(self.level), "visits": dict(self.visits), "in_vain": sorted(self.in_vain)}
        return {**own, "inner": self.inner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.level, self.visits = dict(state["level"]), dict(state["visits"])
        self.in_vain = set(state.get("in_vain", ()))  # of a version that kept none
        self.inner.load_state_dict(state["inner"])
