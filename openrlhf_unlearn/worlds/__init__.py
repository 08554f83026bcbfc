"""The built-in world: a small model and 320 prompts whose learnability is known, made in a minute without a download.

    openrlhf-unlearn microworld quickstart/world --seed 0

writes DIR/model (a Hugging Face folder), DIR/train.jsonl and DIR/heldout.jsonl (keys prompt, label, datasource),
DIR/truth.parquet and DIR/heldout_truth.parquet (prompt_id, group and cause that were planted) and DIR/world.json
(settings and measured success). What is planted, and how: `openrlhf_unlearn/worlds/task.py`.
"""

from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.worlds.task import CAUSES, GROUP_OF_CAUSE, SETTINGS


@dataclass(frozen=True)
class WorldOptions(Options):
    """Which built-in world, and where."""

    dir: Path = option("folder to write; a finished world in it is kept", positional=True, metavar="DIR")
    seed: int = option("draws the prompts, the random labels and the model", 0)
    setting: str = option("standard: 320 prompts; steady: the same kinds in 216", "standard", choices=sorted(SETTINGS))


OPTIONS = WorldOptions


def run(options: WorldOptions) -> None:
    from openrlhf_unlearn.worlds.world import write_world

    world = write_world(options.dir, options.setting, options.seed)
    print(
        f"{options.dir}: {world['parameters']:,} parameters; success at the start, of {world['measured_samples']} "
        "answers:"
    )
    for cause in CAUSES:
        planted = f"{cause} ({GROUP_OF_CAUSE[cause]})"
        print(f"  {planted:<24} {world['prompts'][cause]:>3} prompts  {world['initial_pass_rate_by_cause'][cause]:.3f}")
