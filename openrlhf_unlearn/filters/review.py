"""Review: brings prompts back that were solved once and lost since; another filter decides which groups train.

Every `--unlearn.review_every` steps the lost prompts that wait longest are sampled again: besides those whose turn it
is, or with `--unlearn.review_instead` in the place of some, at no extra rollouts (arXiv 2606.03087, which finds
that repair costs more the longer it waits). `review` is `review+dynamic`; `review+NAME` composes with any filter. With
`oversample_replay` a lost prompt also has stored positives to replay, so that it trains even if it samples none.
"""

from typing import Any

from openrlhf_unlearn.filters.base import Decision, FilterConfig, Group, Rollout, SampleFilter
from openrlhf_unlearn.filters.dynamic import DynamicFilter
from openrlhf_unlearn.filters.forgetting import Forgetting


class ReviewFilter(SampleFilter):
    """State: what was solved and lost, the last review's step, and the inner filter's."""

    def __init__(self, config: FilterConfig, inner: SampleFilter | None = None):
        super().__init__(config)
        self.inner = inner or DynamicFilter(config)
        self.samples_per_wave = self.inner.samples_per_wave
        self.forgetting = Forgetting()
        self.last_review = 0

    def wants_more(self, group: Group) -> int:
        return self.inner.wants_more(group)

    def hint(self, group: Group) -> str | None:
        return self.inner.hint(group)

    def seed(self, prompt_id: str, rollouts: list[Rollout]) -> None:
        self.inner.seed(prompt_id, rollouts)

    def stuck(self, group: Group) -> bool:
        return self.inner.stuck(group)

    def enough_negatives(self, rate: float) -> float:
        return self.inner.enough_negatives(rate)

    def makes_up(self, prompt_id: str) -> bool:
        return self.inner.makes_up(prompt_id)

    def decide(self, group: Group) -> Decision:
        first = group.rollouts[: self.samples_per_wave]  # later waves were sampled because of what the first one gave
        self.forgetting.visit(group.prompt_id, sum(rollout.positive for rollout in first) / len(first))
        lost = self.forgetting.lost
        if group.prompt_id in lost:  # to the end of the line; not when it is due, since a step may have no room for all
            lost[group.prompt_id] = lost.pop(group.prompt_id)
        return self.inner.decide(group)

    def revisit(self, step: int) -> list[str]:
        return list(dict.fromkeys([*self.inner.revisit(step), *self._due(step)]))

    def _due(self, step: int) -> list[str]:
        if step - self.last_review < self.config.review_every:
            return []
        self.last_review = step
        return list(self.forgetting.lost)[: self.config.review_at_most]

    def metrics(self) -> dict[str, float]:
        return self.inner.metrics()

    def state_dict(self) -> dict[str, Any]:
        own = {"forgetting": self.forgetting.state_dict(), "last_review": self.last_review}
        return {**own, "inner": self.inner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.forgetting.load_state_dict(state["forgetting"])
        self.last_review = state["last_review"]
        self.inner.load_state_dict(state["inner"])
