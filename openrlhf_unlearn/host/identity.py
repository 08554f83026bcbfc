"""What must be the same for a resume to continue the same experiment."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.run_dir import RunDir

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
    "unlearn.sampler",
    "unlearn.hints",
    "unlearn.hint_trains",
    "unlearn.expert_traces",
    "unlearn.expert_shaping",
    "unlearn.oversample_factor",
    "unlearn.positives_per_group",
    "unlearn.replay_limit",
    "unlearn.replay_log_probs",
    "unlearn.adaptive",
    "unlearn.give_up_below",
    "unlearn.loss",
    "unlearn.advantage",
    "unlearn.discrepancy_tolerance",
    "unlearn.discrepancy_rate",
    "unlearn.review_every",
    "unlearn.review_at_most",
    "unlearn.review_instead",
    "unlearn.only_prompts",
    "unlearn.skip_prompts",
    "unlearn.answer_format",
    "unlearn.positive_above",
)
# Of a run that did not train yet: its evaluations and probes are of this model and these prompts.
BEFORE_TRAINING = (
    "actor.model_name_or_path",
    "data.prompt_dataset",
    "data.prompt_split",
    "data.input_key",
    "data.label_key",
    "data.image_key",
    "data.input_template",
    "data.apply_chat_template",
)
MISSING = object()


def at(config: dict, flag: str):
    """The value of a flag in `args` of run.json, MISSING where it is not known."""
    for part in flag.split("."):
        if not isinstance(config, dict) or part not in config:
            return MISSING
        config = config[part]
    return config


def whole_path(spec):
    """A spec that names a file that is there (`PATH`, `PATH:NAME`, `review+PATH:NAME`), with its whole path."""
    if not spec or not isinstance(spec, str):
        return spec
    before, plus, rest = spec.rpartition("+") if spec.startswith(("review+", "hinted+")) else ("", "", spec)
    path, colon, name = (rest, "", "") if Path(rest).exists() else rest.rpartition(":")
    return f"{before}{plus}{Path(path).absolute()}{colon}{name}" if path and Path(path).exists() else spec


def whole_paths(sources):
    """Likewise of data sets, joined by commas."""
    return sources and ",".join(whole_path(source.strip()) for source in sources.split(","))


def reward_function(args: SimpleNamespace) -> str | None:
    """A digest of the file that rewards or acts, None for a server: that may move to another address."""
    path = args.train.agent_func_path or args.reward.remote_url
    if not path or not Path(path).is_file():
        return None
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def check_same(run: RunDir, known: RunConfig, config: dict, reward: str | None, trained: bool) -> None:
    """Raises UserError that names the first flag of `config` that is not as it was in `known`, the run.json."""
    for flag in IDENTITY if trained else BEFORE_TRAINING:
        before, after = at(known.args, flag), at(config, flag)
        if before is not MISSING and after not in (before, whole_path(before)):
            raise UserError(
                f"{run} belongs to another configuration: --{flag} was {before!r}, is {after!r}; choose another "
                "--unlearn.run_dir"
            )
    if trained and known.reward_function and known.reward_function != reward:
        raise UserError(
            f"{run} belongs to another configuration: the file of the reward function has changed since; put it back, "
            "or choose another --unlearn.run_dir"
        )
