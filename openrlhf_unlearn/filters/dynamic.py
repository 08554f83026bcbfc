"""Dynamic sampling (DAPO, arXiv 2503.14476): a group whose rewards are all equal has no gradient."""

import math

from openrlhf_unlearn.filters.base import Decision, Group, SampleFilter

EQUAL = 1e-6  # rewards this close are equal: advantages divide by their spread, and would blow up rounding errors


class DynamicFilter(SampleFilter):
    """Accept groups with reward variance; also a constant group of non-binary rewards is rejected."""

    def decide(self, group: Group) -> Decision:
        if math.isclose(min(group.rewards), max(group.rewards), rel_tol=EQUAL, abs_tol=EQUAL):
            return Decision(False, "zero_variance")
        return Decision(True, "accepted", group.rollouts)
