"""`--reward.remote_url`: our grader as OpenRLHF's reward function; the verdict travels in the extra logs."""

import functools
import os

from openrlhf_unlearn.grading.pool import MathGrader, load_grader
from openrlhf_unlearn.run_dir import VERDICTS

FORMAT_VARIABLE = "OPENRLHF_UNLEARN_ANSWER_FORMAT"
WORKERS_VARIABLE = "OPENRLHF_UNLEARN_GRADER_WORKERS"


@functools.lru_cache(maxsize=1)
def shared_grader() -> MathGrader:
    """This process's grader; OpenRLHF calls the reward function from many threads."""
    return load_grader(os.environ.get(FORMAT_VARIABLE, "auto"), workers=int(os.environ.get(WORKERS_VARIABLE, "1")))


def response_of(query: str, prompt: str) -> str:
    """The response in a query, which is the prompt's text and the response's; the prompt is never graded."""
    return query[len(prompt) :] if query.startswith(prompt) else query


def reward_func(queries: list[str], prompts: list[str], labels: list[str]) -> dict:
    """Rewards 1 for correct, else 0, as tensors of shape (rollouts,); extra_logs has the verdict's number."""
    import torch

    responses = [response_of(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
    grades = shared_grader().grade(responses, labels)
    rewards = torch.tensor([grade.reward for grade in grades])
    verdicts = torch.tensor([float(VERDICTS.index(grade.verdict)) for grade in grades])
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"unlearn_verdict": verdicts}}
