"""The built-in world: a small model and 320 prompts whose learnability is known, made in a minute without a download.

    openrlhf-unlearn microworld quickstart/world --seed 0

writes DIR/model (a Hugging Face folder), DIR/train.jsonl and DIR/heldout.jsonl (keys prompt, label, datasource),
DIR/truth.parquet (prompt_id, group of the training prompts) and DIR/world.json (settings and measured success).
"""

from pathlib import Path

from openrlhf_unlearn.microworld.task import GROUPS, SETTINGS


def add_arguments(parser) -> None:
    parser.add_argument("dir", type=Path, metavar="DIR", help="folder to write; a finished world in it is kept")
    parser.add_argument("--seed", type=int, default=0, help="draws the prompts, the random labels and the model")
    parser.add_argument(
        "--setting",
        choices=sorted(SETTINGS),
        default="standard",
        help="standard: 320 prompts; steady: 216 prompts that three runs agree on more often",
    )


def run(args) -> None:
    from openrlhf_unlearn.microworld.world import write_world

    world = write_world(args.dir, args.setting, args.seed)
    print(
        f"{args.dir}: {world['parameters']:,} parameters; success at the start, of {world['measured_samples']} answers:"
    )
    for group in GROUPS:
        print(f"  {group:<12} {world['prompts'][group]:>3} prompts  {world['initial_pass_rate'][group]:.3f}")
