"""SkyRL: `trainer.dump_eval_results=true` writes `dumped_evals/global_step_{N}_evals/{data set}.jsonl`.

Only evaluations are written as text. A score that is a list is token by token, and its sum is the reward.
"""

from pathlib import Path

from openrlhf_unlearn.exchange.files import plain_name
from openrlhf_unlearn.exchange.formats.base import Format


def _not_the_summary(files: list[Path], evaluation: bool) -> list[Path]:
    return [path for path in files if plain_name(path) != "aggregated_results.jsonl"]


SKYRL = Format(
    "skyrl",
    "dump_per_dataset_eval_results of SkyRL, mid-2026",
    {
        "prompt": "input_prompt",
        "response": "output_response",
        "reward": "score",
        "label": "env_extras.reward_model.ground_truth|env_extras.reward_spec.ground_truth",
    },
    training=("**/global_step_*/*.jsonl", "*.jsonl"),
    evaluation=("**/global_step_*/*.jsonl", "*.jsonl"),
    step=r"global_step_(\d+)",
    select=_not_the_summary,
    token_rewards=True,
    evaluations_only=True,
)
