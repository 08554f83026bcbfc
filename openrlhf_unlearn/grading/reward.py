"""`--reward.remote_url`: our grader as OpenRLHF's reward function; the verdict travels in the extra logs.

The plugin reads it there for the tracker. Without the plugin, each verdict's share appears among the host's metrics.
"""

import functools
import os
import threading
from typing import Any

from openrlhf_unlearn.grading.grade import VERDICTS
from openrlhf_unlearn.grading.pool import MathGrader, load_grader

FORMAT_VARIABLE = "OPENRLHF_UNLEARN_ANSWER_FORMAT"
WORKERS_VARIABLE = "OPENRLHF_UNLEARN_GRADER_WORKERS"
MIN_OVERLAP = 8  # characters by which the rest of a cut prompt is recognised
FIRST = threading.Lock()
TIMEOUT_S = 5.0  # more than the default: training leaves the grader little of a processor


def shared_grader() -> MathGrader:
    """This process's grader; OpenRLHF calls the reward function from many threads."""
    with FIRST:
        return _grader()


@functools.lru_cache(maxsize=1)
def _grader() -> MathGrader:
    workers = int(os.environ.get(WORKERS_VARIABLE, "1"))
    return load_grader(os.environ.get(FORMAT_VARIABLE, "auto"), workers=workers, timeout_s=TIMEOUT_S, warm=False)


def response_of(query: str, prompt: str) -> str:
    """The response in a query, which is prompt and response as the tokenizer decodes them.

    Decoding may have put a token before the prompt, and the host cuts the start off a long one. The prompt itself is
    never graded, for it may show an answer of its own.
    """
    _, found, response = query.partition(prompt) if prompt else ("", "", query)
    if found or not prompt:
        return response
    cut = next((i for i in range(1, len(prompt) - MIN_OVERLAP) if query.startswith(prompt[i:])), None)
    return query if cut is None else query[len(prompt) - cut :]


def reward_func(queries: list[str], prompts: list[str], labels: list[str]) -> dict[str, Any]:
    """Rewards 1 for correct, else 0, as tensors of shape (rollouts,); extra_logs has the index in VERDICTS."""
    import torch

    responses = [response_of(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
    grades = shared_grader().grade(responses, labels)
    rewards = torch.tensor([grade.reward for grade in grades])
    logs = {"unlearn_verdict": torch.tensor([float(VERDICTS.index(grade.verdict)) for grade in grades])}
    if FORMAT_VARIABLE not in os.environ:  # no plugin to count them
        logs |= {f"verdict_{name}": torch.tensor([float(g.verdict == name) for g in grades]) for name in VERDICTS}
    return {"rewards": rewards, "scores": rewards, "extra_logs": logs}
