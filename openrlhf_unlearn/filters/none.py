"""No filter: every group trains, as in plain GRPO."""

from openrlhf_unlearn.filters.base import Group, SampleFilter


class NoFilter(SampleFilter):
    def stuck(self, group: Group) -> bool:
        return False
