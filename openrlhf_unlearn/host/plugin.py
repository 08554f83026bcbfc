"""What the host sees of us: flags in, a checked configuration and replaced parts out."""

import argparse
import math
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.host.hooks import check_hooks
from openrlhf_unlearn.host.identity import whole_path, whole_paths
from openrlhf_unlearn.host.install import install
from openrlhf_unlearn.host.json_rows import json_rows
from openrlhf_unlearn.host.losses import LOSSES, apply_loss, engine_log_probs_flag, leaf
from openrlhf_unlearn.host.start import choose_run_dir, start_run
from openrlhf_unlearn.host.training.hints import hint_rows
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import POSITIVE_THRESHOLD


def add_unlearn_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("openrlhf-unlearn", "see which prompts cannot be learned, and act on it")
    add = group.add_argument
    add("--unlearn.run_dir", default=None, help="where the run directory goes; default: OUTPUT_DIR_unlearn")
    add(
        "--unlearn.filter",
        default="dynamic",
        help="which groups train: none, dynamic (zero reward variance does not train; others refill the batch), "
        "oversample_replay (paper, Algorithm 1), review, hinted, or path.py:Name of your own SampleFilter; review+NAME "
        "and hinted+NAME compose",
    )
    add(
        "--unlearn.sampler",
        default="uniform",
        help="which prompts are sampled at all: uniform (each once an episode), posterior (where past visits promise a "
        "gradient, and each once in five episodes), or path.py:Name of your own Sampler",
    )
    add("--unlearn.hints", default=None, help="hinted: files of `openrlhf-unlearn hints` (hint_25.jsonl,hint_50.jsonl)")
    add(
        "--unlearn.hint_trains",
        choices=["group", "one"],
        default="group",
        help="hinted: what trains of a group without a positive: the rollouts of the hinted prompt, or one positive of "
        "these behind the plain prompt, weighted as --unlearn.replay_log_probs says",
    )
    add("--unlearn.review_every", type=int, default=5, help="review: steps between two reviews")
    add("--unlearn.review_at_most", type=int, default=16, help="review: prompts brought back at once")
    add(
        "--unlearn.review_instead",
        action="store_true",
        help="review: prompts brought back take the turns of others in the episode, so that no rollout is added; "
        "these come next, so that an episode no longer visits every row",
    )
    add(
        "--unlearn.expert_traces",
        default=None,
        help="oversample_replay: right responses of a stronger model to begin the buffer with, as `openrlhf-unlearn "
        "sft-set` writes them",
    )
    add(
        "--unlearn.expert_shaping",
        type=float,
        default=0.0,
        help="weight of an expert's token: p / (p + this), p being its probability now; 0: as of a replayed one",
    )
    add(
        "--unlearn.oversample_factor",
        type=int,
        default=4,
        help="oversample_replay: rollouts sampled = factor x k, k being --rollout.n_samples_per_prompt",
    )
    add("--unlearn.positives_per_group", type=int, default=1, help="oversample_replay: positives kept of k")
    add("--unlearn.replay_limit", type=int, default=2, help="how often one stored positive may be replayed")
    add(
        "--unlearn.replay_memory",
        type=float,
        default=4.0,
        help="oversample_replay: memory for stored positives, in GB; 4 hold 95,000 rollouts of 5,120 tokens with their "
        "log-probs. When it is full, prompts that always sample positives give way first",
    )
    add(
        "--unlearn.adaptive",
        action="store_true",
        help="oversample_replay: sample in waves of k and stop when the group is complete; the same training "
        "distribution for fewer rollouts",
    )
    add(
        "--unlearn.give_up_below",
        type=float,
        default=0.0,
        help="with --unlearn.adaptive: stop a visit in which a positive is less likely than this; saves more, and "
        "changes what trains (docs/filters.md); 0 never does",
    )
    add(
        "--unlearn.loss",
        default="as_given",
        help=f"preset over the host's flags: {', '.join(LOSSES)}; a contradiction with an explicit flag is an error",
    )
    add(
        "--unlearn.advantage",
        default=None,
        help="what a group's rewards become, in place of the host's estimator (give that as dr_grpo): maxrl, or "
        "path.py:function of your own (docs/remedies.md)",
    )
    add(
        "--unlearn.discrepancy_tolerance",
        type=float,
        default=None,
        metavar="NATS",
        help="by how much the trainer's log-probs of a prompt may differ from the engines', on average over tokens, "
        "before a multiplier pulls them together; default: no bound (0.05 with --unlearn.loss discrepancy_constrained)",
    )
    add("--unlearn.discrepancy_rate", type=float, default=0.1, help="how fast that multiplier moves")
    ids = "JSON list of prompt ids, or learnability.parquet:GROUP"
    add("--unlearn.only_prompts", default=None, help=f"train on these prompts alone: {ids}")
    add("--unlearn.skip_prompts", default=None, help=f"leave these prompts out: {ids}")
    add(
        "--unlearn.positive_above",
        type=float,
        default=POSITIVE_THRESHOLD,
        help="a rollout is positive (correct) if its score, or its reward where the reward function gives no scores, "
        "is above this, before any shaping; the default suits 0 and 1 as well as -1 and 1",
    )
    add("--unlearn.save_rollouts", type=int, default=0, help="rollouts a prompt and step kept with their text")
    add(
        "--unlearn.answer_format",
        default="auto",
        help="how our reward function finds and compares answers: auto, boxed, last_number, choice, text, "
        "reasoning_gym (docs/grading.md), path.py:Name",
    )
    add(
        "--unlearn.replay_log_probs",
        choices=["recomputed", "stored"],
        default="recomputed",
        help="old log-probs of a replayed rollout: under the current policy, or those of the step that sampled it",
    )
    add("--unlearn.allow_untested_host", action="store_true", help="try another OpenRLHF version if its hooks match")
    add(
        "--unlearn.max_filtered_batches",
        type=int,
        default=20,
        help="rounds of --rollout.batch_size prompts without one accepted group before the run stops",
    )


def _users(spec: str) -> bool:
    """Whether the deciding filter is a user's own, path.py:Name, which may do what ours does."""
    return ".py:" in spec


def check_flags(args: SimpleNamespace) -> None:
    """Refuse what cannot work together. Raises UsageError."""
    own, k = args.unlearn, args.rollout.n_samples_per_prompt
    if args.algo.dynamic_filtering_enable:
        raise UsageError("--algo.dynamic_filtering_enable and the plugin both filter; use --unlearn.filter dynamic")
    if not (args.reward.remote_url or args.train.agent_func_path):
        raise UsageError(
            "the plugin needs each rollout's reward as it is sampled: give --reward.remote_url FILE.py or URL, or "
            "--train.agent_func_path (a reward model with --reward.model_name_or_path scores too late)"
        )
    if not args.vllm.num_engines:
        raise UsageError("the plugin filters vLLM's rollouts: give --vllm.num_engines of at least 1")
    if own.filter != "none" and k < 2:
        raise UsageError(f"--unlearn.filter {own.filter} compares rollouts: give --rollout.n_samples_per_prompt > 1")
    if ("hinted" in own.filter.split("+")) != bool(own.hints):
        raise UsageError("--unlearn.filter hinted and --unlearn.hints FILES go together: give both or neither")
    if own.hints:
        hint_rows(own.hints)
    if own.review_instead and "review" not in own.filter.split("+") and not _users(own.filter):
        raise UsageError("--unlearn.review_instead is of --unlearn.filter review, or review+NAME: give that too")
    if own.hint_trains != "group" and not own.hints:
        raise UsageError("--unlearn.hint_trains is of --unlearn.filter hinted: give that and --unlearn.hints FILES too")
    if own.expert_traces:
        if not own.filter.endswith("oversample_replay") and not _users(own.filter):
            raise UsageError(
                f"--unlearn.expert_traces fills the buffer of --unlearn.filter oversample_replay, which {own.filter} "
                "has not: choose that"
            )
        json_rows("--unlearn.expert_traces", own.expert_traces, ("prompt_id", "response"), "sft-set")
    if own.expert_shaping and not own.expert_traces:
        raise UsageError("--unlearn.expert_shaping weighs expert traces: give --unlearn.expert_traces FILE too")
    if own.expert_shaping < 0 or (own.expert_shaping and args.actor.policy_loss_type != "ppo"):
        raise UsageError("--unlearn.expert_shaping is 0 or more, and needs --actor.policy_loss_type ppo")
    if own.sampler == "posterior" and k < 2:
        raise UsageError("--unlearn.sampler posterior selects groups: give --rollout.n_samples_per_prompt > 1")
    if not 0 < own.positives_per_group < max(k, 2):
        raise UsageError(f"--unlearn.positives_per_group must be from 1 to {k - 1}")
    for name in ("oversample_factor", "replay_limit", "max_filtered_batches", "review_every", "review_at_most"):
        if getattr(own, name) < 1:
            raise UsageError(f"--unlearn.{name} must be at least 1")
    if not own.replay_memory > 0:
        raise UsageError("--unlearn.replay_memory must be above 0 (GB)")
    if not 0 <= own.give_up_below < 1:
        raise UsageError("--unlearn.give_up_below is a probability: from 0 to below 1")
    correction = engine_log_probs_flag(args)
    if own.replay_log_probs == "stored" and correction:
        raise UsageError(f"--unlearn.replay_log_probs stored needs the engines' log-probs: give {correction}")
    if not math.isfinite(own.positive_above):
        raise UsageError("--unlearn.positive_above must be a finite number")
    if args.rollout.batch_size * k % args.train.batch_size:
        raise UsageError(
            f"--rollout.batch_size {args.rollout.batch_size} x --rollout.n_samples_per_prompt {k} = "
            f"{args.rollout.batch_size * k} rollouts do not divide into --train.batch_size {args.train.batch_size}: "
            "what is left of a step would be added to the next one's gradients; change one of the three"
        )
    ranks = args.actor.num_nodes * args.actor.num_gpus_per_node
    ranks //= args.ds.ring_attn_size * args.ds.tensor_parallel_size
    for batch in ("train", "rollout"):
        total = args.train.batch_size if batch == "train" else args.rollout.batch_size * k
        micro = getattr(args, batch).micro_batch_size
        if not args.train.dynamic_batch_enable and total % (micro * ranks):
            raise UsageError(
                f"{total} rollouts a {batch} batch do not divide into --{batch}.micro_batch_size {micro} on {ranks} "
                "ranks"
            )
    if own.save_rollouts < 0:
        raise UsageError("--unlearn.save_rollouts must be 0 or more")


def check_flags_and_loss(args: SimpleNamespace, given: list[str]) -> dict:
    """`check_flags`, then set the loss preset's in `args` and refuse what does not go with them; returns these."""
    check_flags(args)
    preset = apply_loss(args, given)
    if args.unlearn.advantage and args.algo.advantage.estimator != "dr_grpo":
        raise UsageError("--unlearn.advantage takes the estimator's place: give --algo.advantage.estimator dr_grpo")
    correction, own = engine_log_probs_flag(args), args.unlearn
    if own.discrepancy_tolerance is not None and (own.discrepancy_tolerance < 0 or own.discrepancy_rate <= 0):
        raise UsageError("--unlearn.discrepancy_tolerance is 0 or more, --unlearn.discrepancy_rate above 0")
    if own.discrepancy_tolerance is not None and correction:
        raise UsageError(f"--unlearn.discrepancy_tolerance needs the engines' log-probs: give {correction}")
    return preset


def reward_file(remote_url: str | None) -> str | None:
    """`--reward.remote_url` as the host takes it: our reward module by its file, everything else as it is."""
    if remote_url == "openrlhf_unlearn.reward_math":
        return str(Path(__file__).parents[1] / "reward_math.py")
    return remote_url


# Read again by actors, which stand in other folders, and by commands of any folder, through run.json.
_FILES = (
    "actor.model_name_or_path",
    "critic.model_name_or_path",
    "reward.remote_url",
    "train.agent_func_path",
    "unlearn.filter",
    "unlearn.sampler",
    "unlearn.advantage",
    "unlearn.expert_traces",
    "unlearn.only_prompts",
    "unlearn.skip_prompts",
    "unlearn.answer_format",
)


def _make_absolute(args: SimpleNamespace) -> None:
    """Local files by their whole path, whether or not a name follows; folders that are written to as well."""
    for node, name in map(partial(leaf, args), _FILES):
        setattr(node, name, whole_path(getattr(node, name)))
    for node, name in ((args.data, "prompt_dataset"), (args.eval, "dataset"), (args.unlearn, "hints")):
        setattr(node, name, whole_paths(getattr(node, name)))
    for name in ("path", "output_dir"):
        setattr(args.ckpt, name, str(Path(getattr(args.ckpt, name)).absolute()))


class UnlearnPlugin:
    """The entry point `unlearn` of the group `openrlhf.plugins`."""

    def __init__(self):
        self.held = ExitStack()  # the run directory's lock, for as long as the launch lasts

    def install(self, given: list[str]) -> None:
        """Check the host's hooks, then replace parts."""
        check_hooks(allow_untested="--unlearn.allow_untested_host" in given)
        install()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_unlearn_flags(parser)

    def check(self, args: SimpleNamespace, given: list[str]) -> None:
        """The flags by themselves, and the loss preset's set in `args`."""
        import torch

        from openrlhf_unlearn.filters import load_filter
        from openrlhf_unlearn.host.advantages import load_advantage
        from openrlhf_unlearn.host.cpu.ray_cpu import check_accelerator
        from openrlhf_unlearn.host.job_folder import check_job_folder
        from openrlhf_unlearn.host.training.generator import filter_config
        from openrlhf_unlearn.samplers import check_sampler

        args.reward.remote_url = reward_file(args.reward.remote_url)
        check_accelerator(torch.cuda.is_available())
        check_job_folder(args, Path.cwd())
        preset = check_flags_and_loss(args, given)
        load_advantage(args.unlearn.advantage)  # a wrong name should fail here, not in an actor
        filter = load_filter(args.unlearn.filter, filter_config(args))
        if args.unlearn.expert_traces:
            filter.seed("", [])  # a user's filter without a buffer refuses here, not in an actor
        check_sampler(args.unlearn.sampler)
        if preset:
            shown = " ".join(f"--{flag} {value}" for flag, value in preset.items())
            print(f"--unlearn.loss {args.unlearn.loss}: {shown}", flush=True)

    def configure(self, args: SimpleNamespace, given: list[str]) -> None:
        """Model and data, then the run directory, then the device."""
        from openrlhf_unlearn.grading.data_check import check_inputs
        from openrlhf_unlearn.host.cpu.ray_cpu import prepare_cpu
        from openrlhf_unlearn.host.training import rollout

        check_inputs(args)
        _make_absolute(args)
        run = choose_run_dir(args)
        self.held.enter_context(hold(run.path, "training"))
        start_run(args, [sys.executable, "-m", "openrlhf.cli.train_ppo", "--plugin", "unlearn", *given], run)
        prepare_cpu(args)
        rollout.RolloutRayActor = rollout.with_answer_format(args.unlearn.answer_format)
        install()

    def close(self) -> None:
        self.held.close()
