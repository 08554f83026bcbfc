"""`run.json`: what makes a run this run, written before training; a resume must bring the same.

The launcher holds the lock of the run directory from here to its end.
"""

import datetime
import math
import shlex
import uuid
from pathlib import Path
from types import SimpleNamespace

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.settings import versions
from openrlhf_unlearn.host.identity import check_same, reward_function
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Clipping, has_steps
from openrlhf_unlearn.store.trust import own


def plain(value):
    """`value` as JSON can hold it: namespaces as dicts, what is not finite or unknown as text."""
    if isinstance(value, SimpleNamespace):
        return {key: plain(item) for key, item in vars(value).items()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def default_run_dir(output_dir: str) -> str:
    path = Path(output_dir)
    return str(path.with_name(path.name + "_unlearn"))


def choose_run_dir(args: SimpleNamespace) -> RunDir:
    """Sets `args.unlearn.run_dir` to its absolute path. Raises UserError if something else is there."""
    path = Path(args.unlearn.run_dir or default_run_dir(args.ckpt.output_dir)).absolute()
    args.unlearn.run_dir = str(path)
    run = RunDir(path)
    if not run.run_json.exists() and path.exists() and any(item.name != ".lock" for item in path.iterdir()):
        raise UserError(f"{path} is not empty and no run directory; choose another --unlearn.run_dir")
    return run


def start_run(args: SimpleNamespace, command: list[str], run: RunDir) -> None:
    """Check and open the run directory; sets `args.unlearn.run_id`, the same for all resumes of a run.

    Raises UserError if it belongs to another configuration, holds steps that no resume was asked for, or steps whose
    checkpoint is not there. Nothing is deleted here.
    """
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    known = run.config(required=False)
    config, reward = masked(plain(args)), reward_function(args)
    trained = has_steps(run)
    if known and not (trained or run.evaluation_tags() or run.probe_tags()):
        if known.args:
            print(f"{run}: an earlier launch wrote no step, and its run.json is replaced", flush=True)
        known = RunConfig()
    if known:
        check_same(run, known, config, reward, trained)
        _check_resume(run, known, args)
    args.unlearn.run_id = known.run_id or uuid.uuid4().hex
    RunConfig.new(
        run_id=args.unlearn.run_id,
        created=known.created or now,
        started=now,
        command=shlex.join(command),
        seed=args.train.seed,
        model=args.actor.model_name_or_path,
        data=args.data.prompt_dataset,
        # By its score where the reward function gives one, else by its reward, as given, a rollout is positive.
        positive={"by": "scores", "else_by": "reward", "threshold": args.unlearn.positive_above},
        reward_function=reward,
        versions=versions(),
        args=masked(plain(args)),
    ).write(run.run_json)
    own(run.run_json)


def _check_resume(run: RunDir, known: RunConfig, args: SimpleNamespace) -> None:
    if not run.steps():
        return
    done = f"{run} already holds steps 1 to {run.steps()[-1]}"
    if not args.ckpt.load_enable:
        raise UserError(f"{done}; go on with --ckpt.load_enable, or choose another --unlearn.run_dir")
    folder = Path(args.ckpt.path) / "_actor"
    if (folder / "latest").exists():
        return
    trained, due = max(run.steps(Clipping.folder), default=0), known.flag("ckpt.save_steps")
    if known.flag("ckpt.path") == args.ckpt.path and isinstance(due, int) and trained <= due:
        print(f"{run}: it ended before its first checkpoint, of step {due}, and begins again", flush=True)
        return
    raise UserError(
        f"{done}, but {folder} has no checkpoint to go on from; is --ckpt.path right? To begin again, choose another "
        "--unlearn.run_dir"
    )
