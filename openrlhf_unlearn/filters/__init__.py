"""Sample filters: pure, without host imports, usable with any framework's rollouts."""

from openrlhf_unlearn.filters.base import Decision, FilterConfig, Group, Rollout, SampleFilter
from openrlhf_unlearn.filters.registry import FILTERS, load_filter

__all__ = ["FILTERS", "Decision", "FilterConfig", "Group", "Rollout", "SampleFilter", "load_filter"]
