"""How likely a prompt's next visit is to sample too few positives: what a stored positive is worth.

A prompt's pass rate drifts while the policy learns, so earlier visits count less. Only what the fixed draw and adaptive
waves both see is looked at: the first k rollouts, and all of them where there were too few positives, since then both
sampled all. So the buffer forgets the same in both (docs/filters.md).
"""

from math import exp, lgamma
from typing import Any

from openrlhf_unlearn.filters.base import FilterConfig, Group

FADING = 0.5  # weight of a visit's rollouts at the next visit
PRIOR = 0.5  # Jeffreys' prior of a pass rate: that many positives and negatives before the first visit


def chance_of_too_few(wanted: int, n: int, positives: float, negatives: float) -> float:
    """P(fewer than `wanted` positives among `n` rollouts) after so many positives and negatives: beta-binomial."""
    a, b = positives + PRIOR, negatives + PRIOR
    norm = lgamma(a + b) - lgamma(a) - lgamma(b) + lgamma(n + 1) - lgamma(a + b + n)
    terms = (
        exp(norm + lgamma(x + a) + lgamma(n - x + b) - lgamma(x + 1) - lgamma(n - x + 1))
        for x in range(min(wanted, n + 1))
    )
    return min(1.0, sum(terms))


class Dryness:
    """State: each visited prompt's positives and negatives, faded."""

    def __init__(self, config: FilterConfig):
        self.config = config
        self.counts: dict[str, list[float]] = {}

    def visit(self, group: Group) -> float:
        """Record a visit; returns the chance that the prompt's next one has too few positives."""
        config = self.config
        wanted, total = config.positives_per_group, config.oversample_factor * config.k
        seen = group.rollouts if group.n_positive < wanted else group.rollouts[: config.k]
        n_positive = sum(rollout.positive for rollout in seen)
        before = self.counts.get(group.prompt_id, (0.0, 0.0))
        now = [FADING * before[0] + n_positive, FADING * before[1] + len(seen) - n_positive]
        self.counts[group.prompt_id] = now
        return chance_of_too_few(wanted, total, *now)

    def state_dict(self) -> dict[str, Any]:
        return dict(self.counts)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts = dict(state)
