"""Dynamic sampling (DAPO, arXiv 2503.14476): a group whose rewards are all equal has no gradient."""

import math

from openrlhf_unlearn.filters.base import Decision, Group, SampleFilter


class DynamicFilter(SampleFilter):
    """Accept groups with reward variance; also a constant group of non-binary rewards is rejected."""

    def decide(self, group: Group) -> Decision:
        if not all(math.isfinite(reward) for reward in group.rewards):
            raise ValueError(f"prompt {group.prompt_id} has a reward that is not a finite number: {group.rewards}")
        if len(set(group.rewards)) == 1:
            return Decision(False, "zero_variance")
        return Decision(True, "accepted", group.rollouts)
