"""ROLL: `rollout_dump_dir`, an absolute path, gets `rollout_dump_data.step_{N}.jsonl`: one line, a list a column."""

from openrlhf_unlearn.exchange.formats.base import Format

ROLL = Format(
    "roll",
    "dump_rollout_to_specific_path of ROLL's RLVR pipeline, mid-2026",
    {
        "prompt": "prompt|messages",
        "response": "responses",
        "reward": "scores",
        "label": "ground_truth",
        "step": "global_step",
    },
    training=("**/rollout_dump_data.step_*.jsonl",),
    evaluation=("**/rollout_dump_data.step_*.jsonl",),
    step=r"rollout_dump_data\.step_(\d+)\.jsonl$",
)
