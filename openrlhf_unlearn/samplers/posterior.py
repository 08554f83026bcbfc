"""Posterior sampling: visit the prompts whose group would have a gradient, as far as past visits can tell.

Each prompt has a Beta posterior of its pass rate under the current policy, whose counts fade from pass to pass, since
the policy moves on. When its turn comes, a pass rate is drawn from it (Thompson sampling), and the prompt is visited
with the chance that a group with this rate holds both, positives and negatives; from a rate of 1/(3n) to one of 1 - 1/n
always, n being the rollouts of a visit, times the chance that it holds as many negatives as the filter needs (one,
unless the filter says otherwise). So the less is known of a prompt, the more often it is visited. Where the filter
makes up for positives, by a hint, an expert's trace or a stored rollout, negatives alone will do.

Related: MoPPS (arXiv 2507.04632) and BOTS (2510.26374) take the prompts whose drawn rate is nearest to a half. That
saves more and starves hard prompts that are rewarded (docs/remedies.md has the figures); to have it, override `worth`.
GRESO (2506.02177) skips by the number of visits in a row without variance.
"""

import random

from openrlhf_unlearn.samplers.base import Sampler, SamplerConfig

FADING = 0.8  # weight of the earlier counts at each pass
SELDOM = 1 / 3  # positives a group, on average, from which on a prompt is always visited: the hard ones learn by these
PRIOR = 0.5  # Jeffreys' prior: that many positives and negatives before the first visit


def chance_of_both(rate: float, n: int) -> float:
    """P(n rollouts hold a positive and a negative)."""
    return 1 - rate**n - (1 - rate) ** n


class PosteriorSampler(Sampler):
    """State: each visited prompt's positives and negatives, faded. Draws depend on seed, pass and position alone."""

    def __init__(self, config: SamplerConfig):
        super().__init__(config)
        self.counts: dict[str, list[float]] = {}

    def worth(self, rate: float) -> float:
        """The chance that a prompt with this pass rate is visited, 0 to 1; above 1 counts as 1."""
        n, least = self.config.n, SELDOM if rate < 0.5 else 1.0
        both = chance_of_both(rate, n) / chance_of_both(least / n, n)
        return min(1.0, both) * self.config.negatives(rate)

    def wants(self, prompt_id: str) -> bool:
        positives, negatives = self.counts.get(prompt_id, (0.0, 0.0))
        self.counts[prompt_id] = [FADING * positives, FADING * negatives]
        rng = random.Random(f"{self.config.seed}:{self.passes}:{self.position}")
        number, rate = rng.random(), rng.betavariate(positives + PRIOR, negatives + PRIOR)
        if self.config.makes_up(prompt_id):
            return number < (1 - rate**self.config.n) * self.config.negatives(rate)
        return number < self.worth(rate)

    def observe(self, prompt_id: str, n_positive: int, n: int) -> None:
        positives, negatives = self.counts.get(prompt_id, (0.0, 0.0))
        self.counts[prompt_id] = [positives + n_positive, negatives + n - n_positive]

    def state_dict(self) -> dict:
        return {**super().state_dict(), "counts": {name: list(counts) for name, counts in self.counts.items()}}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.counts = {name: list(counts) for name, counts in state["counts"].items()}
