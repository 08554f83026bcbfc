"""open-instruct: `--save_traces --rollouts_save_path DIR` writes `{run}_rollouts_{shard}.jsonl`: token ids, not text.

`prompt_idx` counts the prompts of one step, so it names none: a prompt is its token ids and right answer. With
`--tokenizer MODEL` both prompt and response become text. A right answer earns 10 there (`--verification_reward`).
"""

from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.files import plain_name
from openrlhf_unlearn.exchange.formats.base import Format


def _of_one_run(files: list[Path], evaluation: bool) -> list[Path]:
    runs = sorted({plain_name(path).rpartition("_rollouts_")[0] for path in files})
    if len(runs) > 1:
        raise UserError(f"{files[0].parent} holds runs {', '.join(runs)}; give a glob: '…/{runs[0]}_rollouts_*.jsonl'")
    return files


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
    select=_of_one_run,
    binary=(frozenset({0.0, 10.0}),),
)
