"""Adaptive sampling: how many more rollouts a prompt needs, judged by counts alone, never by a rollout's content.

That the rule sees nothing else keeps the training distribution that of the fixed draw: docs/filters.md says why, and
`benchmarks/adaptive_sampling.py` what it saves.
"""

from openrlhf_unlearn.filters.base import FilterConfig


def next_wave(config: FilterConfig, positives: int, negatives: int, dry: int = 0) -> int:
    """How many more rollouts to sample of a visit that has so many positives and negatives; 0 to stop.

    `dry`: rollouts of earlier visits since the prompt's last positive. Short of positives, the wave is k. Short of m
    negatives alone, it is 2m: of a prompt that passes half the time, that gives the m missing.
    """
    remaining = config.oversample_factor * config.k - positives - negatives
    missing_positives = max(0, config.positives_per_group - positives)
    missing_negatives = max(0, config.k - config.positives_per_group - negatives)
    filled = not missing_positives and not missing_negatives
    if filled or missing_negatives > remaining:
        return 0
    if not positives and chance_of_positive(dry + negatives, remaining) < config.give_up_below:
        return 0
    return min(remaining, config.k if missing_positives else min(config.k, 2 * missing_negatives))


def chance_of_positive(dry: int, n: int) -> float:
    """The chance of a positive among `n` rollouts after `dry` without one: Laplace's rule of succession."""
    return n / (dry + n + 1)
