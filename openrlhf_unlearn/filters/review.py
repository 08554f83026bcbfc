"""Review: dynamic sampling that brings prompts back which were solved once and lost since.

Every `EVERY` steps the prompts lost longest ago are sampled again, besides those whose turn it is; those that show
variance train. Composes with dynamic sampling only: with `oversample_replay` a lost prompt has stored positives to
replay at its next turn anyhow.
"""

from openrlhf_unlearn.filters.base import Decision, FilterConfig, Group
from openrlhf_unlearn.filters.dynamic import DynamicFilter
from openrlhf_unlearn.filters.forgetting import Forgetting

EVERY = 5  # steps between two reviews
AT_MOST = 16  # prompts a review


class ReviewFilter(DynamicFilter):
    def __init__(self, config: FilterConfig):
        super().__init__(config)
        self.forgetting = Forgetting()
        self.last_review = 0

    def decide(self, group: Group) -> Decision:
        self.forgetting.visit(group.prompt_id, sum(group.rewards) / len(group.rewards))
        return super().decide(group)

    def revisit(self, step: int) -> list[str]:
        if step - self.last_review < EVERY:
            return []
        self.last_review = step
        due = list(self.forgetting.lost)[:AT_MOST]
        for prompt_id in due:  # to the end of the line, in case it stays lost
            del self.forgetting.lost[prompt_id]
            self.forgetting.lost[prompt_id] = None
        return due

    def state_dict(self) -> dict:
        return {"forgetting": self.forgetting.state_dict(), "last_review": self.last_review}

    def load_state_dict(self, state: dict) -> None:
        self.forgetting.load_state_dict(state["forgetting"])
        self.last_review = state["last_review"]
