"""The built-in world: a small model and 320 prompts whose learnability is known, made in a minute without a download.

    openrlhf-unlearn microworld quickstart/world --seed 0

writes DIR/model (a Hugging Face folder), DIR/train.jsonl and DIR/heldout.jsonl (keys prompt, label, datasource),
DIR/truth.parquet and DIR/heldout_truth.parquet (prompt_id, group and cause that were planted) and DIR/world.json
(settings and measured success). What is planted, and how: `openrlhf_unlearn/worlds/task.py`.
"""

from pathlib import Path

from openrlhf_unlearn.worlds.task import CAUSES, GROUP_OF_CAUSE, SETTINGS


def add_arguments(parser) -> None:
    parser.add_argument("dir", type=Path, metavar="DIR", help="folder to write; a finished world in it is kept")
    parser.add_argument("--seed", type=int, default=0, help="draws the prompts, the random labels and the model")
    parser.add_argument(
        "--setting",
        choices=sorted(SETTINGS),
        default="standard",
        help="standard: 320 prompts; steady: the same kinds in 216",
    )


def run(args) -> None:
    from openrlhf_unlearn.worlds.world import write_world

    world = write_world(args.dir, args.setting, args.seed)
    print(
        f"{args.dir}: {world['parameters']:,} parameters; success at the start, of {world['measured_samples']} answers:"
    )
    for cause in CAUSES:
        planted = f"{cause} ({GROUP_OF_CAUSE[cause]})"
        print(f"  {planted:<24} {world['prompts'][cause]:>3} prompts  {world['initial_pass_rate_by_cause'][cause]:.3f}")
