"""The host's rollout actor, whose reward function can no longer fail in silence.

The host logs an exception of `reward_func` and goes on with the reward None. Here it travels with the rollout to the
generator, which stops the run with its text.
"""

import functools
from pathlib import Path

import ray
from openrlhf.trainer.ray import vllm_engine

from openrlhf_unlearn.grading.reward import FORMAT_VARIABLE
from openrlhf_unlearn.training.hooks import actor_class


def reporting(reward_func):
    """`reward_func(queries, prompts, labels)`, with an exception returned as extra_logs['unlearn_error']."""

    @functools.wraps(reward_func)
    def reported(queries, prompts, labels):
        try:
            result = reward_func(queries, prompts, labels)
        except Exception as error:
            return {"rewards": None, "extra_logs": {"unlearn_error": f"{type(error).__name__}: {error}"}}
        if not isinstance(result, dict) or "rewards" not in result:
            problem = f"it returned {type(result).__name__}, not a dict with 'rewards'"
            return {"rewards": None, "extra_logs": {"unlearn_error": problem}}
        return result

    return reported


class UnlearnRolloutRayActor(actor_class(vllm_engine.RolloutRayActor)):
    async def __init__(self, *args, **kwargs):
        await super().__init__(*args, **kwargs)
        if getattr(self.executor, "reward_func", None):
            self.executor.reward_func = reporting(self.executor.reward_func)


def install(answer_format: str = "auto") -> None:
    """`answer_format` reaches our reward function in the engines, wherever in the cluster they run."""
    path, colon, name = answer_format.rpartition(":")
    own = f"{Path(path).resolve()}:{name}" if colon else answer_format  # a worker may stand in another folder
    environment = {"env_vars": {FORMAT_VARIABLE: own}}
    vllm_engine.RolloutRayActor = ray.remote(runtime_env=environment)(UnlearnRolloutRayActor)


install()
