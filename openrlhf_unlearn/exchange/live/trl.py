"""TRL: the reward function that says right or wrong, recorded; checked against GRPOTrainer of TRL 1.16.0.

    from openrlhf_unlearn.exchange.live import LiveWriter, recorded
    trainer = GRPOTrainer(..., reward_funcs=[recorded(accuracy, LiveWriter("run", model=MODEL)), format_reward])

The function may be of any kind that TRL takes and is called as ever. With several, record the one whose rewards say
whether an answer is right. `training` says whether the trainer trains, as `lambda: trainer.model.training` does; it is
needed only with evaluations during training, whose rollouts are none of training's.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from openrlhf_unlearn.exchange.live.writer import LiveWriter, read_rollout

LABELS = ("answer", "solution", "ground_truth", "label")  # columns of the data set that hold the right answer


def recorded(
    reward_func: Callable,
    writer: LiveWriter,
    label: str | None = None,
    training: Callable[[], bool] = lambda: True,
) -> Callable:
    """`reward_func` as TRL calls it, whose rewards `writer` keeps. `label`: the data set's column of right answers."""

    def keep(prompts: list, completions: list, rewards: list, columns: dict) -> list:
        state = columns.get("trainer_state")
        if state is not None and training():
            labels = _labels(columns, label) or [None] * len(prompts)
            writer.add(state.global_step + 1, map(read_rollout, prompts, completions, rewards, labels))
        return rewards

    @functools.wraps(reward_func)
    def plain(prompts: list, completions: list, **columns: Any) -> list:
        return keep(prompts, completions, reward_func(prompts=prompts, completions=completions, **columns), columns)

    @functools.wraps(reward_func)
    async def later(prompts: list, completions: list, **columns: Any) -> list:
        rewards = await reward_func(prompts=prompts, completions=completions, **columns)
        return keep(prompts, completions, rewards, columns)

    return later if inspect.iscoroutinefunction(reward_func) else plain


def _labels(columns: dict, label: str | None) -> list | None:
    return next((columns[name] for name in ((label,) if label else LABELS) if name in columns), None)
