"""open-instruct: `--save_traces --rollouts_save_path DIR` writes `{run}_rollouts_{shard}.jsonl`: token ids, not text.

`prompt_idx` counts the prompts of one step, so it names none: a prompt is its token ids and right answer. With
`--tokenizer MODEL` both prompt and response become text. A right answer earns 10 there (`--verification_reward`).
"""

from openrlhf_unlearn.exchange.formats.base import Format

OPEN_INSTRUCT = Format(
    "open-instruct",
    "save_rollouts_to_disk of open-instruct, mid-2026",
    {
        "prompt": "prompt_tokens",
        "response": "response_tokens",
        "reward": "reward",
        "label": "ground_truth",
        "step": "step",
    },
    training=("*_rollouts_*.jsonl", "**/*_rollouts_*.jsonl"),
    evaluation=("*_rollouts_*.jsonl", "**/*_rollouts_*.jsonl"),
    binary=(frozenset({0.0, 10.0}),),
)
