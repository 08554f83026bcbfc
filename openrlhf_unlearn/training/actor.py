"""The host's policy actor, which also counts clipped tokens by prompt. Imported in the driver and in each actor."""

import ray
from openrlhf.trainer.ray import ppo_actor

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


def install() -> None:
    ppo_actor.ActorPPOTrainer = UnlearnActorPPOTrainer
    ppo_actor.PolicyModelActor = ray.remote(num_gpus=1)(UnlearnPolicyModelActor)


install()
