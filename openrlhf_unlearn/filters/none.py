"""No filter: every group trains, as in plain GRPO."""

from openrlhf_unlearn.filters.base import SampleFilter


class NoFilter(SampleFilter):
    pass
