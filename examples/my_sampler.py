"""A sampler of your own: the prompts that pass about half the time, as MoPPS (arXiv 2507.04632) selects them.

    python -m openrlhf.cli.train_ppo --plugin unlearn --unlearn.sampler examples/my_sampler.py:NearHalf …

It saves more rollouts than `posterior` and loses more of the hard prompts (docs/remedies.md).
"""

from openrlhf_unlearn.samplers import PosteriorSampler


class NearHalf(PosteriorSampler):
    def worth(self, rate: float) -> float:
        return float(0.3 < rate < 0.7)
