"""Tinker cookbook: `LOG_PATH/iteration_NNNNNN/{train,eval_NAME}_rollout_summaries.jsonl`, a row a trajectory.

The reward is `total_reward`; of its single-turn problems the metric `correct` says whether the answer was right, and a
rollout is positive by it, for rewards have a part for the form. The text is there where an environment leaves a trace,
as those problems do. Other environments' prompts are not named: each group of an iteration is then a prompt of its own,
and `no_reward` cannot be told across iterations.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openrlhf_unlearn.exchange.files import Row, rows_of
from openrlhf_unlearn.exchange.formats.base import Format
from openrlhf_unlearn.store.nested import get


def _rows(path: Path) -> Iterator[Row]:
    for where, row in rows_of(path):
        if isinstance(row, dict) and "total_reward" in row:
            steps = row.get("steps") or [{}]
            prompt = _messages(get(steps[0], "trace.prompt"))
            row = {
                **row,
                "prompt": prompt or None,
                "response": _messages(get(steps[-1], "trace.policy_response")),
                "label": get(steps[-1], "trace.reward.reference_answer"),
                "correct": get(steps[-1], "metrics.correct"),
            }
            if not prompt:
                row["group"] = f"{row.get('split')}/{row.get('iteration')}/{row.get('group_idx')}"
        yield where, row


def _messages(data: Any) -> Any:
    return data.get("messages") if isinstance(data, dict) else data


TINKER = Format(
    "tinker",
    "rl/rollout_logging.py and rl/problem_env.py of the Tinker cookbook, mid-2026",
    {
        "prompt": "prompt",
        "response": "response",
        "reward": "total_reward",
        "label": "label",
        "step": "iteration",
        "id": "group",
        "positive": "correct",
    },
    training=("**/train_rollout_summaries.jsonl",),
    evaluation=("**/eval*_rollout_summaries.jsonl",),
    step=r"iteration_(\d+)/",
    rows=_rows,
)
