"""The host's policy actor, which also counts clipped tokens by prompt. Imported in the driver and in each actor."""

import ray
from openrlhf.trainer.ray import ppo_actor

from openrlhf_unlearn.training.checkpoint import StateFiles
from openrlhf_unlearn.training.clipping import ClipCounter, Counts
from openrlhf_unlearn.training.hooks import actor_class


class UnlearnActorPPOTrainer(ppo_actor.ActorPPOTrainer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.clip_counter = ClipCounter()
        self.clip_counter.attach(self.actor_loss_fn)

    def training_step(self, experience, *args, **kwargs):
        self.clip_counter.experience = experience
        return super().training_step(experience, *args, **kwargs)


class UnlearnPolicyModelActor(actor_class(ppo_actor.PolicyModelActor)):
    def take_clip_counts(self) -> Counts:
        return self.trainer.clip_counter.take()

    def save_checkpoint(self, tag, client_states=None, metric_value=None, metric_key=None):
        super().save_checkpoint(tag, client_states, metric_value, metric_key)
        reference = (client_states or {}).get("data_loader_state_dict", {}).get("unlearn")
        if reference and self.strategy.is_rank_0():
            StateFiles(self.strategy.args.ckpt.path).place(tag, reference)


def install() -> None:
    ppo_actor.ActorPPOTrainer = UnlearnActorPPOTrainer
    ppo_actor.PolicyModelActor = ray.remote(num_gpus=1)(UnlearnPolicyModelActor)


install()
