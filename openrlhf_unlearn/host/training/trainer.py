"""The host's trainers, synchronous and asynchronous, with our generator, metrics, clip counts and likelihoods."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import ray
from openrlhf.trainer import ppo_trainer, ppo_trainer_async

from openrlhf_unlearn.host.advantages import load_advantage, replace_advantages
from openrlhf_unlearn.host.install import Installs
from openrlhf_unlearn.host.training.clipping import clipping_rows
from openrlhf_unlearn.host.training.discrepancy import Multipliers
from openrlhf_unlearn.host.training.likelihood import likelihood_rows, start_from_stored
from openrlhf_unlearn.machine.host_functions import actor_class
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Clipping, Likelihood

if TYPE_CHECKING:
    from openrlhf.trainer.ppo_trainer import BasePPOTrainer as _Trainer

    from openrlhf_unlearn.host.training.generator import UnlearnSamplesGenerator
else:
    _Trainer = object


class UnlearnExperienceMaker(ppo_trainer.RemoteExperienceMaker):
    """Keeps each prompt's likelihoods for the trainer to write.

    The host recomputes old log-probs under the current policy for all rollouts. With `--unlearn.replay_log_probs
    stored`, those of a replayed rollout are what vLLM sampled by: docs/filters.md says what both do to the gradient.
    """

    @cached_property
    def multipliers(self) -> Multipliers:
        """First asked for at the first batch, by when a resume has dropped later steps."""
        own = self.args.unlearn
        found = Multipliers(own.discrepancy_tolerance, own.discrepancy_rate)
        found.read(RunDir(own.run_dir))
        return found

    def make_experience(self, samples_list):
        experiences = super().make_experience(samples_list)
        self.likelihood_rows = likelihood_rows(experiences, has_reference=self.initial_model_group is not None)
        self.multipliers.update(self.likelihood_rows)
        if self.args.unlearn.replay_log_probs == "stored":
            start_from_stored(experiences)
        return experiences

    def compute_advantages_and_returns(self, experiences):
        experiences = super().compute_advantages_and_returns(experiences)
        if advantage := load_advantage(self.args.unlearn.advantage):
            args = self.args
            replace_advantages(experiences, advantage, args.rollout.n_samples_per_prompt, args.reward.clip_range)
        self.multipliers.constrain(experiences)
        return experiences


class _TrainStep(_Trainer):
    """What both trainers do more at each step; mixed in before the host's BasePPOTrainer."""

    args: Any
    experience_maker: UnlearnExperienceMaker

    def train_step(self, rollout_samples, global_step: int):
        steps = max(1, len(rollout_samples) // self.args.train.batch_size * self.args.train.max_epochs)
        for group in filter(None, (self.actor_model_group, self.critic_model_group)):
            ray.get(group.async_run_method("aim_schedule", *rollout_samples.span, steps))
        status, step = super().train_step(rollout_samples, global_step)
        status.update(rollout_samples.metrics)
        status.update(self.experience_maker.multipliers.metrics())
        return status, step

    def ppo_train(self, global_steps: int) -> dict:
        status = super().ppo_train(global_steps)
        # Ranks of one tensor- or sequence-parallel group saw the same tokens: one of them speaks for all.
        duplicates = self.args.ds.ring_attn_size * self.args.ds.tensor_parallel_size
        counts = ray.get(self.actor_model_group.async_run_method(method_name="take_clip_counts")[::duplicates])
        run = RunDir(self.args.unlearn.run_dir)
        Clipping.of_rows(clipping_rows(counts)).write(run, global_steps + 1)
        Likelihood.of_rows(self.experience_maker.likelihood_rows).write(run, global_steps + 1)
        return status


class _OwnLoader(Installs):
    """For the actors that hold the generator: the loader they save and restore is the generator's state."""

    args: Any
    samples_generator: "UnlearnSamplesGenerator"
    max_steps: int

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.prompts_dataloader = self.samples_generator.loader
        # As many steps as the host would plan for the prompts that train: the schedule's scale, and its warm-up's.
        self.max_steps = max(1, round(self.max_steps * self.samples_generator.chosen_share))

    def write_for_best_checkpoint(self) -> None:
        """Before an evaluation, after which the host may save the last batch's step as the best one."""
        if self.args.ckpt.best_metric_key != "none":
            self.prompts_dataloader.write()


class UnlearnPPOTrainer(_OwnLoader, _TrainStep, actor_class(ppo_trainer.PPOTrainer)):
    def evaluate(self, global_step, **generate_kwargs):
        self.write_for_best_checkpoint()
        return super().evaluate(global_step, **generate_kwargs)


class UnlearnGenerateSamplesActor(_OwnLoader, actor_class(ppo_trainer_async.GenerateSamplesActor)):
    def _run_eval(self):
        # The trainer gets the evaluation after all batches that were handed out before it.
        self.write_for_best_checkpoint()
        return super()._run_eval()


class UnlearnTrainingActor(Installs, _TrainStep, actor_class(ppo_trainer_async.TrainingActor)):
    # Ray ships methods inherited from an actor class by value, and then their `super()` names a copy of that class:
    # that of the host's that calls it is named here, so that it is found by import.
    def broadcast_to_vllm(self):
        super().broadcast_to_vllm()


class UnlearnPPOTrainerAsync(Installs, actor_class(ppo_trainer_async.PPOTrainerAsync)):
    pass


PPOTrainer = ray.remote(UnlearnPPOTrainer)
GenerateSamplesActor = ray.remote(UnlearnGenerateSamplesActor)
TrainingActor = ray.remote(UnlearnTrainingActor)
PPOTrainerAsync = ray.remote(UnlearnPPOTrainerAsync)
