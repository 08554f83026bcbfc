"""`openrlhf-unlearn curriculum`: first without the unlearnable prompts, then with them (paper, A.5 and Figure 18).

    openrlhf-unlearn curriculum RUN --output DIR [--dry-run] [--flags FLAG … that replace the run's own]

Stage one trains on RUN's prompts without the unlearnable ones; stage two goes on from its model with the unlearnable
and as many others, drawn at random. Both launches are RUN's own command (RUN/run.json) with other prompts and folders.
The same command goes on where it was stopped: a stage that is done is not done again, one in its midst resumes from its
last checkpoint (--ckpt.save_steps). The report of both: `openrlhf-unlearn analyze DIR/stage1/run DIR/stage2/run
--compare`.
"""

import argparse
import os
import random
import shlex
import subprocess
import sys
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.flags import check_launch, join_flags, shown, split_flags
from openrlhf_unlearn.masking import MASK, masked
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import RunDir, write_json
from openrlhf_unlearn.store.trust import add_trust_run, check_run

OWN = ("--plugin", "--unlearn.skip_prompts", "--unlearn.only_prompts", "--ckpt.load_enable")  # set anew for each stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="run directory with run.json and learnability.parquet")
    add("--output", required=True, type=Path, metavar="DIR", help="where both stages go")
    add("--prompts", metavar="SPEC", help="JSON list of ids or learnability.parquet:GROUP; default: the unlearnable")
    add("--others", type=int, help="other prompts in stage two; default: as many as the unlearnable")
    add(
        "--episodes", type=int, nargs=2, metavar=("ONE", "TWO"), help="passes over each stage's prompts; default: RUN's"
    )
    add("--seed", type=int, default=0, help="of the choice of the others")
    add("--dry-run", action="store_true", help="print the launches, their flags checked against the host's own parser")
    add_trust_run(parser)
    add("--flags", nargs=argparse.REMAINDER, default=[], help="last: flags of the launcher that replace the run's own")


def run(args: argparse.Namespace) -> int:
    run_dir = RunDir.open(args.run)
    if args.dry_run:
        return stages(run_dir, args)
    with hold(args.output, "curriculum"):
        return stages(run_dir, args)


def stages(run_dir: RunDir, args: argparse.Namespace) -> int:
    base = with_key({**split_flags(launch_words(run_dir)), **split_flags(args.flags)})
    model = base.get("--actor.model_name_or_path")
    if not model:
        raise UserError(f"{run_dir.run_json} names no model to start from; give it by --flags")
    output = args.output.absolute()
    prompts = stage_prompts(run_dir, args.prompts, args.others, args.seed)
    models = [model[0], str(output / "stage1" / "model")]
    for number, (ids, start) in enumerate(zip(prompts, models, strict=True)):
        folder = output / f"stage{number + 1}"
        flags = stage_flags(base, folder, start)
        if args.episodes:
            flags["--train.num_episodes"] = [str(args.episodes[number])]
        command = [sys.executable, "-m", "openrlhf_unlearn.host.launcher", "--plugin", "unlearn", *join_flags(flags)]
        check_launch("train_ppo", command[3:])
        if args.dry_run:
            print(f"# stage {number + 1}: {len(ids)} prompts\n{shown(masked(command))}\n")
        else:
            check_run(run_dir.run_json, "the launch that made it, whose flags --dry-run shows", args.trust_run)
            launch(folder, number + 1, ids, command)
    return 0


def launch_words(run_dir: RunDir) -> list[str]:
    """The flags of the launch that made the run. Raises UserError for a run that no launch of ours made."""
    try:
        words = shlex.split(run_dir.config().command)
    except ValueError as error:
        raise UserError(f"{run_dir.run_json}: its command cannot be read ({error}); it was edited") from None
    if not any(word.startswith("--actor.") for word in words):
        raise UserError(
            f"{run_dir.run_json} holds no launch of openrlhf.cli.train_ppo; imported runs have none to repeat"
        )
    return words[next(i for i, word in enumerate(words) if word.startswith("--")) :]


def with_key(flags: dict[str, list[str]]) -> dict[str, list[str]]:
    """The flags with this user's keys in place of those that no run directory keeps; without one, without the flag."""
    for name in [name for name, values in flags.items() if MASK in values]:
        key = os.environ.get("WANDB_API_KEY") if name == "--logger.wandb.key" else None
        if key:
            flags[name] = [key]
        else:
            del flags[name]
            print(
                f"note: {name} is not kept in a run; without it now, unless --flags {name} gives it (W&B's also from "
                "WANDB_API_KEY)",
                file=sys.stderr,
            )
    return flags


def stage_prompts(run_dir: RunDir, spec: str | None, others: int | None, seed: int) -> tuple[list[str], list[str]]:
    """Prompt ids of stage one and of stage two, of the run's gradable prompts in its order."""
    from openrlhf_unlearn.collect.selection import read_ids

    hard = read_ids(spec or f"{run_dir.learnability}:unlearnable")
    names = [name for name, group in Learnability.groups(run_dir).items() if group != "ungradable"]
    rest = [name for name in names if name not in hard]
    hard = [name for name in names if name in hard]
    if not hard or not rest:
        raise UserError(f"{run_dir}: {len(hard)} unlearnable and {len(rest)} other prompts; a curriculum needs both")
    mixed = random.Random(seed).sample(rest, min(len(hard) if others is None else others, len(rest)))
    return rest, [name for name in names if name in {*hard, *mixed}]


def stage_flags(base: dict[str, list[str]], folder: Path, model: str) -> dict[str, list[str]]:
    flags = {name: values for name, values in base.items() if name not in OWN}
    flags |= {
        "--actor.model_name_or_path": [model],
        "--ckpt.output_dir": [str(folder / "model")],
        "--ckpt.path": [str(folder / "checkpoints")],
        "--unlearn.run_dir": [str(folder / "run")],
        "--unlearn.only_prompts": [str(folder / "prompts.json")],
    }
    if RunDir(folder / "run").run_json.exists():
        flags["--ckpt.load_enable"] = []
    return flags


def launch(folder: Path, number: int, ids: list[str], command: list[str]) -> None:
    """Train one stage, unless it is done. Raises UserError if the launch fails."""
    done = folder / "done.json"
    if done.exists():
        print(f"stage {number}: done before, its model is in {folder / 'model'}")
        return
    write_json(folder / "prompts.json", ids)
    print(f"stage {number}: {len(ids)} prompts\n{shown(masked(command))}", flush=True)
    code = subprocess.run(command).returncode
    if code:
        raise UserError(f"stage {number} ended with exit code {code}, see above; the same command goes on from there")
    write_json(done, {"command": shlex.join(command), "prompts": len(ids)})
