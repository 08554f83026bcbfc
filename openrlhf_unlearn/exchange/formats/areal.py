"""AReaL: `rollout.dump_to_file=true` writes `rollout/{version}/{task}.jsonl`, and `eval-rollout/` for evaluations.

The step is the policy's version, which names the folder. A task's number names the submission, not the prompt.
"""

from openrlhf_unlearn.exchange.formats.base import Format

_BELOW = ("*/*.jsonl", "*.jsonl")
AREAL = Format(
    "areal",
    "the trajectory dump in AReaL's documentation, mid-2026",
    {"prompt": "prompt", "response": "completion", "reward": "reward"},
    training=("**/rollout/*/*.jsonl", *_BELOW),
    evaluation=("**/eval-rollout/*/*.jsonl", *_BELOW),
    step=r"(?:^|/)(\d+)/[^/]+\.jsonl$",
    notes=("AReaL's files hold no labels: prompts are told apart by their text alone",),
)
