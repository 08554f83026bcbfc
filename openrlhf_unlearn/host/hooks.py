"""The names of OpenRLHF that we subclass, call or observe, with their parameters, and those that training replaces.

`check_hooks` runs before each training and in the tests: a host that moved is refused by one line, not by a stack
trace hours later. What each hook is for stands beside it.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.machine.host_functions import FUNCTIONS, Hook, HostName, mismatch

TESTED_HOSTS = ("0.10.4", "0.11.0", "0.11.1", "0.11.2")
NEWEST_HOST = TESTED_HOSTS[-1]  # what is installed where the user has not chosen


@dataclass(frozen=True)
class Part(HostName):
    """`name`, by which the host's `module` looks up a class of its own, becomes `ours`, `module.name` in training/."""

    ours: str
    purpose: str


_GENERATOR = "openrlhf.trainer.ppo_utils.samples_generator"
_TRAINER = "openrlhf.trainer.ppo_trainer"
_ASYNC = "openrlhf.trainer.ppo_trainer_async"
_ACTOR = "openrlhf.trainer.ray.ppo_actor"
_CRITIC = "openrlhf.trainer.ray.ppo_critic"
_ENGINE = "openrlhf.trainer.ray.vllm_engine"

HOOKS = (
    *FUNCTIONS,
    Hook("openrlhf.utils.config", "hierarchize", "args", "check the configuration before the host uses it"),
    Hook(
        _GENERATOR,
        "SamplesGenerator.__init__",
        "self strategy prompts_dataloader eval_dataloader tokenizer vllm_engines",
        "subclassed: groups, filter, tracker",
    ),
    Hook(_GENERATOR, "SamplesGenerator.generate_samples", "self generate_kwargs", "replaced: filter and refill"),
    Hook(
        _GENERATOR,
        "SamplesGenerator._dispatch_prompts_to_vllm",
        "self prompts labels images generate_kwargs",
        "called: sample one group a prompt",
    ),
    Hook(
        _GENERATOR,
        "SamplesGenerator._process_response_into_experience",
        "self response generate_kwargs",
        "called: one rollout's tensors",
    ),
    Hook(
        _TRAINER,
        "PPOTrainer.__init__",
        "self pretrain strategy actor_model_group critic_model_group reward_model_group reference_model_group "
        "vllm_engines generate_kwargs",
        "subclassed: our state is the data loader's state",
    ),
    Hook(
        "openrlhf.trainer.ppo_utils.experience_maker",
        "RemoteExperienceMaker.make_experience",
        "self samples_list",
        "extended: stored log-probs of replayed rollouts",
    ),
    Hook(
        "openrlhf.trainer.ppo_utils.experience_maker",
        "RemoteExperienceMaker.compute_advantages_and_returns",
        "self experiences",
        "extended: advantages of --unlearn.advantage",
    ),
    Hook(_TRAINER, "BasePPOTrainer.train_step", "self rollout_samples global_step", "extended: metrics of the batch"),
    Hook(_TRAINER, "BasePPOTrainer.ppo_train", "self global_steps", "extended: collect clipping after the update"),
    Hook(
        _TRAINER,
        "BasePPOTrainer.__init__",
        "self strategy actor_model_group critic_model_group reward_model_group reference_model_group vllm_engines "
        "tokenizer",
        "subclassed",
    ),
    Hook(_TRAINER, "PPOTrainer.evaluate", "self global_step generate_kwargs", "extended: our state, if it is the best"),
    Hook(_ASYNC, "GenerateSamplesActor._run_eval", "self", "extended: our state, if it is the best"),
    Hook(
        _ACTOR,
        "PolicyModelActor.save_checkpoint",
        "self tag client_states metric_value metric_key",
        "extended: rank 0 puts our state into the checkpoint's folder",
    ),
    Hook(
        _ASYNC,
        "GenerateSamplesActor.__init__",
        "self pretrain strategy vllm_engines vllm_lock rollout_queue rollout_slots generate_kwargs",
        "subclassed: our state is the data loader's state",
    ),
    Hook(
        _ASYNC,
        "TrainingActor.__init__",
        "self pretrain strategy actor_model_group critic_model_group reward_model_group reference_model_group "
        "vllm_engines vllm_lock rollout_queue rollout_slots",
        "subclassed with the same extensions as the synchronous trainer",
    ),
    Hook(_ASYNC, "TrainingActor.broadcast_to_vllm", "self", "called by our own, so that Ray finds it by import"),
    Hook(_ASYNC, "PPOTrainerAsync.fit", "self", "subclassed, so that its module's actors are ours"),
    Hook(
        _ACTOR,
        "ActorPPOTrainer.training_step",
        "self experience kl_ctl step loss_batch_info",
        "extended: which prompts the loss is looking at",
    ),
    Hook(
        "openrlhf.models.loss",
        "PolicyLoss.forward",
        "self log_probs old_log_probs advantages action_mask rollout_log_probs dp_size batch_num_tokens "
        "global_batch_size",
        "observed by a forward hook: clipped tokens",
    ),
    Hook(
        _ACTOR,
        "PolicyModelActor.init_model_from_pretrained",
        "self strategy pretrain max_steps vllm_engines",
        "subclassed: makes actor_scheduler, whose position follows the prompts",
    ),
    Hook(
        _CRITIC,
        "CriticModelActor.init_model_from_pretrained",
        "self strategy pretrain max_steps",
        "extended: critic_scheduler likewise",
    ),
    Hook(_ACTOR, "PolicyModelActor.fit", "self kl_ctl", "subclassed: a method to fetch the clip counts"),
    Hook(
        _ENGINE,
        "RolloutRayActor.generate_responses",
        "self prompt label sampling_params max_length hf_tokenizer num_samples images",
        "extended: a reward function's failure is reported, not swallowed",
    ),
    Hook(
        "openrlhf.utils.agent",
        "SingleTurnAgentExecutor._fetch_rewards_via_func",
        "self queries_list prompts_list labels_list",
        "its reward_func attribute is wrapped",
    ),
    Hook(
        "openrlhf.utils.agent",
        "SingleTurnAgentExecutor._fetch_rewards_via_http",
        "self queries_list prompts_list labels_list",
        "wrapped: a reward server's failure is reported, not swallowed",
    ),
    Hook("openrlhf.trainer.ray.launcher", "RayActorGroup.async_run_method", "self method_name args kwargs", "called"),
    Hook(_ENGINE, "batch_vllm_engine_call", "engines method_name args rank_0_only kwargs", "called: sleep, wake up"),
    Hook(
        "openrlhf.trainer.ppo_utils.experience",
        "Experience",
        "sequences attention_mask action_mask action_log_probs base_action_log_probs rollout_log_probs values returns "
        "advantages kl rewards scores response_length truncated total_length index prompts labels images "
        "mm_train_inputs info",
        "made anew of a stored rollout",
    ),
    Hook("openrlhf.utils.logging_utils", "init_logger", "name", "called: the collector's lines are in the host's log"),
)

# What takes whose place: `install.py` does it, in the driver and in the processes of Ray's actors.
PARTS = (
    Part(_TRAINER, "SamplesGenerator", "generator.UnlearnSamplesGenerator", "groups, filter, tracker"),
    Part(_ASYNC, "SamplesGenerator", "generator.UnlearnSamplesGenerator", "the same, in the asynchronous trainer"),
    Part(_TRAINER, "RemoteExperienceMaker", "trainer.UnlearnExperienceMaker", "likelihoods, advantages, both trainers"),
    Part(_TRAINER, "PPOTrainer", "trainer.PPOTrainer", "our state and metrics, clipping and likelihoods of each step"),
    Part(_ASYNC, "PPOTrainerAsync", "trainer.PPOTrainerAsync", "starts the next two, in a process with our parts"),
    Part(_ASYNC, "GenerateSamplesActor", "trainer.GenerateSamplesActor", "our state is the data loader's"),
    Part(_ASYNC, "TrainingActor", "trainer.TrainingActor", "as PPOTrainer"),
    Part(_ACTOR, "ActorPPOTrainer", "actor.UnlearnActorPPOTrainer", "clip counts, shaping of expert traces"),
    Part(_ACTOR, "PolicyModelActor", "actor.PolicyModelActor", "hands out the counts; learning rate by prompts"),
    Part(_CRITIC, "CriticModelActor", "actor.CriticModelActor", "learning rate by prompts"),
    Part(_ENGINE, "RolloutRayActor", "rollout.RolloutRayActor", "a reward function's failure is reported"),
)


_NO_HOST = "openrlhf is not installed; docs/install.md says how: flash-attn takes an order"


def host_version() -> str:
    """The installed OpenRLHF's version. Raises UserError if there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("openrlhf")
    except PackageNotFoundError:
        raise UserError(_NO_HOST) from None


def host_folder() -> Path:
    """The installed package's folder, found without importing it. Raises UserError if there is none."""
    spec = importlib.util.find_spec("openrlhf")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(_NO_HOST)
    return Path(next(iter(spec.submodule_search_locations)))


def check_hooks(allow_untested: bool = False) -> None:
    """Refuse, in one line, a host version that was not tested or whose hooks differ from ours."""
    version = host_version()
    tested = ", ".join(TESTED_HOSTS)
    if version not in TESTED_HOSTS and not allow_untested:
        raise UserError(
            f"OpenRLHF {version} was not tested with this plugin (tested: {tested}); install that, or try "
            "--unlearn.allow_untested_host"
        )
    wrong = [text for text in map(mismatch, (*HOOKS, *PARTS)) if text]
    if wrong:
        raise UserError(f"OpenRLHF {version} does not have the hooks of {tested}: {'; '.join(wrong)}")
