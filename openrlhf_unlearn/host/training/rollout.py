"""The host's rollout actor, whose reward function or server can no longer fail in silence.

The host logs an exception of either and goes on with the reward None. Here it travels with the rollout to the
generator, which stops the run with its text.
"""

import functools
from pathlib import Path

import ray
from openrlhf.trainer.ray import vllm_engine

from openrlhf_unlearn.collect.judgement import ERROR
from openrlhf_unlearn.grading.reward import FORMAT_VARIABLE
from openrlhf_unlearn.machine.host_functions import actor_class


def reporting(reward_func):
    """`reward_func(queries, prompts, labels)`, with an exception returned as extra_logs['unlearn_error']."""

    @functools.wraps(reward_func)
    def reported(queries, prompts, labels):
        try:
            return checked(reward_func(queries, prompts, labels))
        except Exception as error:
            return failure(f"{type(error).__name__}: {error}")

    return reported


def reporting_server(fetch):
    """The host's request to a reward server, (queries, prompts, labels) → one answer a server, likewise."""

    @functools.wraps(fetch)
    async def reported(queries, prompts, labels):
        try:
            return [checked(answer) for answer in await fetch(queries, prompts, labels)]
        except Exception as error:
            return [failure(f"no answer of the server --reward.remote_url ({error})")]

    return reported


def checked(result):
    """A reward function's result as it is, or what is wrong with it."""
    if not isinstance(result, dict) or "rewards" not in result:
        return failure(f"it returned {type(result).__name__}, not a dict with 'rewards'")
    return result


def failure(problem: str) -> dict:
    return {"rewards": None, "extra_logs": {ERROR: problem}}


class UnlearnRolloutRayActor(actor_class(vllm_engine.RolloutRayActor)):
    async def __init__(self, *args, **kwargs):
        await super().__init__(*args, **kwargs)
        report_failures(self.executor)


def report_failures(executor) -> None:
    """Wrap what the host's executor asks for rewards; an agent of the user's own has neither."""
    if getattr(executor, "reward_func", None):
        executor.reward_func = reporting(executor.reward_func)
    elif hasattr(executor, "_fetch_rewards_via_http"):
        executor._fetch_rewards_via_http = reporting_server(executor._fetch_rewards_via_http)


def with_answer_format(answer_format: str):
    """What Ray starts. `answer_format` reaches our reward function in the engines, wherever in the cluster they run."""
    path, colon, name = answer_format.rpartition(":")
    own = f"{Path(path).resolve()}:{name}" if colon else answer_format  # a worker may stand in another folder
    environment = {"env_vars": {FORMAT_VARIABLE: own}}
    return ray.remote(runtime_env=environment)(UnlearnRolloutRayActor)


RolloutRayActor = with_answer_format("auto")
