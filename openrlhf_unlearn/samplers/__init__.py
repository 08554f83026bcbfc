"""Samplers: which prompts are visited next, before any rollout. Pure, as the filters are."""

from openrlhf_unlearn.filters.registry import find_named, load_named
from openrlhf_unlearn.samplers.base import FLOOR, Sampler, SamplerConfig
from openrlhf_unlearn.samplers.posterior import PosteriorSampler

SAMPLERS: dict[str, type[Sampler]] = {"uniform": Sampler, "posterior": PosteriorSampler}


def load_sampler(spec: str, config: SamplerConfig) -> Sampler:
    """The sampler called `spec`, or a user's own (path.py:Name). Raises UserError if it cannot be found or made."""
    return load_named("--unlearn.sampler", spec, SAMPLERS, Sampler, config)


def check_sampler(spec: str) -> None:
    """UserError if there is no such sampler. It is not made, which may need the prompts."""
    find_named("--unlearn.sampler", spec, SAMPLERS, Sampler)


__all__ = ["FLOOR", "SAMPLERS", "PosteriorSampler", "Sampler", "SamplerConfig", "check_sampler", "load_sampler"]
