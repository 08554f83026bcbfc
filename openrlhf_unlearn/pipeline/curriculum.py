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
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UserError, counted
from openrlhf_unlearn.host.flags import check_launch, join_flags, shown, split_flags
from openrlhf_unlearn.masking import MASK, masked
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import RunDir, write_json
from openrlhf_unlearn.store.trust import TRUST_RUN, check_run

OWN = ("--plugin", "--unlearn.skip_prompts", "--unlearn.only_prompts", "--ckpt.load_enable")  # set anew for each stage


@dataclass(frozen=True)
class CurriculumOptions(Options):
    """Which run's launch is repeated, on which prompts in which stage."""

    run: str = option("run directory with run.json and learnability.parquet", positional=True, metavar="RUN")
    output: Path = option("where both stages go", metavar="DIR")
    prompts: str | None = option(
        "JSON list of ids or learnability.parquet:GROUP; default: the unlearnable", None, metavar="SPEC"
    )
    others: int | None = option("other prompts in stage two; default: as many as the unlearnable", None)
    episodes: tuple[int, int] | None = option(
        "passes over each stage's prompts; default: RUN's", None, nargs=2, metavar=("ONE", "TWO")
    )
    seed: int = option("of the choice of the others", 0)
    dry_run: bool = option("print the launches, their flags checked against the host's own parser", False)
    trust_run: bool = TRUST_RUN
    flags: tuple[str, ...] = option(
        "last: flags of the launcher that replace the run's own", (), nargs=argparse.REMAINDER
    )


OPTIONS = CurriculumOptions


@dataclass(frozen=True)
class Stage:
    """One launch: its folder, its prompts' ids and its command."""

    folder: Path
    prompts: list[str]
    command: list[str]


def run(options: CurriculumOptions) -> None:
    stages = curriculum(options)
    if options.dry_run:
        for number, stage in enumerate(stages, start=1):
            print(f"# stage {number}: {counted(len(stage.prompts), 'prompt')}\n{shown(masked(stage.command))}\n")


@takes(CurriculumOptions)
def curriculum(options: CurriculumOptions) -> tuple[Stage, Stage]:
    """Train both stages, with `dry_run` only plan them; what was done before is not done again.

    Raises UserError for a run that cannot be repeated, and where a launch fails.
    """
    run_dir = RunDir.open(options.run)
    if options.dry_run:
        return plan(run_dir, options)
    with hold(options.output, "curriculum"):
        stages = plan(run_dir, options)
        check_run(run_dir.run_json, "the launch that made it, whose flags --dry-run shows", options.trust_run)
        for number, stage in enumerate(stages, start=1):
            launch(stage, number)
    return stages


def plan(run_dir: RunDir, options: CurriculumOptions) -> tuple[Stage, Stage]:
    """Both stages, their flags checked against the host's own parser."""
    base = with_key({**split_flags(launch_words(run_dir)), **split_flags(list(options.flags))})
    model = base.get("--actor.model_name_or_path")
    if not model:
        raise UserError(f"{run_dir.run_json} names no model to start from; give it by --flags")
    output = options.output.absolute()
    prompts = stage_prompts(run_dir, options.prompts, options.others, options.seed)
    models = [model[0], str(output / "stage1" / "model")]

    def stage(number: int) -> Stage:
        folder = output / f"stage{number + 1}"
        flags = stage_flags(base, folder, models[number])
        if options.episodes:
            flags["--train.num_episodes"] = [str(options.episodes[number])]
        command = [sys.executable, "-m", "openrlhf_unlearn.host.launcher", "--plugin", "unlearn", *join_flags(flags)]
        check_launch("train_ppo", command[3:])
        return Stage(folder, prompts[number], command)

    return stage(0), stage(1)


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


def launch(stage: Stage, number: int) -> None:
    """Train one stage, unless it is done. Raises UserError if the launch fails."""
    done = stage.folder / "done.json"
    if done.exists():
        print(f"stage {number}: done before, its model is in {stage.folder / 'model'}")
        return
    write_json(stage.folder / "prompts.json", stage.prompts)
    print(f"stage {number}: {counted(len(stage.prompts), 'prompt')}\n{shown(masked(stage.command))}", flush=True)
    code = subprocess.run(stage.command).returncode
    if code:
        raise UserError(f"stage {number} ended with exit code {code}, see above; the same command goes on from there")
    write_json(done, {"command": shlex.join(stage.command), "prompts": len(stage.prompts)})
