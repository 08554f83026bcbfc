"""The host's policy and critic actors: clipped tokens counted by prompt, learning rates that follow the prompts."""

from typing import Any

import ray
from openrlhf.trainer.ray import ppo_actor, ppo_critic

from openrlhf_unlearn.host.install import Installs
from openrlhf_unlearn.host.training.checkpoint import StateFiles
from openrlhf_unlearn.host.training.clipping import ClipCounter, Counts
from openrlhf_unlearn.host.training.expert import PolicyShaping
from openrlhf_unlearn.host.training.marks import unlogged
from openrlhf_unlearn.host.training.schedule import PromptSchedule
from openrlhf_unlearn.machine.host_functions import actor_class


class UnlearnActorPPOTrainer(ppo_actor.ActorPPOTrainer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.clip_counter = ClipCounter()
        self.clip_counter.attach(self.actor_loss_fn)
        self.shaping = PolicyShaping(self.args.unlearn.expert_shaping)
        self.shaping.attach(self.actor_loss_fn)

    def training_step(self, experience, *args, **kwargs):
        self.clip_counter.experience = self.shaping.experience = experience
        return unlogged(super().training_step(experience, *args, **kwargs))


class _Scheduled(Installs):
    """Mixed in before the host's actors: their learning rate follows the prompts (`PromptSchedule`)."""

    max_steps: int  # that the host plans the schedule over
    schedule: PromptSchedule | None = None

    def own_scheduler(self) -> Any:
        """The host's scheduler of this actor's model."""
        raise NotImplementedError

    def aim_schedule(self, start: float, end: float, steps: int) -> None:
        scheduler = self.own_scheduler()
        if self.schedule is None and hasattr(scheduler, "lr_lambdas"):
            self.schedule = PromptSchedule(scheduler, self.max_steps)
        if self.schedule is not None:
            self.schedule.aim(start, end, steps)


class UnlearnPolicyModelActor(_Scheduled, actor_class(ppo_actor.PolicyModelActor)):
    def own_scheduler(self):
        return self.actor_scheduler

    def take_clip_counts(self) -> Counts:
        return self.trainer.clip_counter.take()

    def save_checkpoint(self, tag, client_states=None, metric_value=None, metric_key=None):
        super().save_checkpoint(tag, client_states, metric_value, metric_key)
        reference = (client_states or {}).get("data_loader_state_dict", {}).get("unlearn")
        if reference and self.strategy.is_rank_0():
            StateFiles(self.strategy.args.ckpt.path).place(tag, reference)


class UnlearnCriticModelActor(_Scheduled, actor_class(ppo_critic.CriticModelActor)):
    def init_model_from_pretrained(self, strategy, pretrain, max_steps):
        self.max_steps = max_steps
        super().init_model_from_pretrained(strategy, pretrain, max_steps)

    def own_scheduler(self):
        return self.critic_scheduler


PolicyModelActor = ray.remote(num_gpus=1)(UnlearnPolicyModelActor)
CriticModelActor = ray.remote(num_gpus=1)(UnlearnCriticModelActor)
