"""Grades sampled responses by the run's own reward: our grader, or the `reward_func` of the user's file.

A user's function is called as OpenRLHF calls it, one response at a time: queries (prompt and response), prompts and
labels as lists of one, and a dict with `rewards` comes back.
"""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from openrlhf_unlearn.collect.judgement import judge
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.data_check import uses_our_grader
from openrlhf_unlearn.store.run_dir import POSITIVE_THRESHOLD, RunDir


class Graded(NamedTuple):
    """`score`: the reward where there is no score. `reason`: the grader's rule, None for a user's own function."""

    score: float
    verdict: str
    reason: str | None = None


Grade = Callable[[list[str], list[str], list], list[Graded]]  # prompts, responses, labels → one a response


def check_reward(reward: str | None, of_run: RunDir | None = None) -> None:
    """Raise UserError where `reward` is no Python file; `of_run`: the run that names it, where no flag does."""
    source = f"{of_run} was trained with the reward {reward}" if of_run else f"--reward {reward}"
    if reward and not reward.endswith(".py"):
        raise UserError(f"{source}: only Python files can grade here; give one with reward_func: --reward FILE.py")
    if reward and not Path(reward).is_file():
        raise UserError(f"{source}: no such file here; give the path of the file: --reward FILE.py")


@contextmanager
def reward_grader(
    reward: str | None, answer_format: str, workers: int = 2, positive_above: float = POSITIVE_THRESHOLD
) -> Iterator[Grade]:
    """A function that grades lists of prompts, responses and labels; `reward` None or our own file: our grader.

    positive_above: the score, or the reward where there is none, above which a user's function says "correct".
    """
    check_reward(reward)
    if reward and not uses_our_grader(reward):
        yield _calling(_reward_func(reward), reward, positive_above)
        return
    from openrlhf_unlearn.grading import load_grader

    with load_grader(answer_format, workers=workers) as grader:

        def grade(prompts: list[str], responses: list[str], labels: list) -> list[Graded]:
            grades = grader.grade(responses, list(map(str, labels)))
            return [Graded(grade.reward, str(grade.verdict), grade.reason or None) for grade in grades]

        yield grade


def _reward_func(path: str) -> Callable:
    spec = importlib.util.spec_from_file_location("reward_func", path)
    assert spec and spec.loader  # a .py file has both
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return module.reward_func
    except Exception as error:
        raise UserError(f"--reward {path} cannot be loaded: {type(error).__name__}: {error}") from error


def _calling(reward_func: Callable, path: str, positive_above: float) -> Grade:
    def grade(prompts: list[str], responses: list[str], labels: list) -> list[Graded]:
        return [graded(*item) for item in zip(prompts, responses, labels, strict=True)]

    def graded(prompt: str, response: str, label: Any) -> Graded:
        try:
            found = reward_func(queries=[prompt + response], prompts=[prompt], labels=[label])
            answer = {"prompt": prompt, "reward": found["rewards"], "scores": found.get("scores")}
        except Exception as error:
            raise UserError(
                f"--reward {path} failed: {type(error).__name__}: {error} (prompt {prompt[:80]!r})"
            ) from error
        judgement = judge(answer, positive_above)
        return Graded(judgement.signal, judgement.verdict)

    return grade
