"""verl: `trainer.rollout_data_dir` and `trainer.validation_data_dir`, a file `{step}.jsonl` a step, a row a rollout.

`score` is the reward that trained. Where the reward function returns a dict, its keys are columns too; `acc` among them
says whether the answer was right, be it a truth value or its text, and a rollout is positive by it: scores are shaped.
`gts` that is an object stands for its `ground_truth`, else its `answer`.
"""

from pathlib import Path

from openrlhf_unlearn.exchange.files import plain_name
from openrlhf_unlearn.exchange.formats.base import Format


def _steps_only(files: list[Path], evaluation: bool) -> list[Path]:
    return [path for path in files if Path(plain_name(path)).stem.isdigit()] or files


VERL = Format(
    "verl",
    "RayPPOTrainer._write_generations of verl 0.9.1",
    {"prompt": "input", "response": "output", "reward": "score", "label": "gts", "step": "step", "positive": "acc"},
    step=r"(\d+)\.jsonl$",
    select=_steps_only,
)
