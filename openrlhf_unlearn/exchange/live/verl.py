"""verl: what its trainer dumps, recorded as it is dumped; checked against RayPPOTrainer of verl 0.9.1.

verl's reward functions see one answer at a time, no step and no prompt. The trainer has all of it where it writes
`trainer.rollout_data_dir`. In the file that starts it (a copy of verl's main_ppo), before it is made:

    from verl.trainer.ppo.ray_trainer import RayPPOTrainer
    from openrlhf_unlearn.exchange.live import LiveWriter, record_generations
    record_generations(RayPPOTrainer, LiveWriter("/shared/run", save_rollouts=4))

`openrlhf-unlearn import verl DIR --run RUN --follow` does the same from outside, without any change.
"""

from typing import Any

from openrlhf_unlearn.exchange.live.writer import LiveWriter, read_rollout
from openrlhf_unlearn.exchange.values import as_truth


def record_generations(trainer: Any, writer: LiveWriter) -> None:
    """Let `trainer`, verl's RayPPOTrainer or a class of its kind, record its training rollouts when it dumps them.

    Validation is dumped by the same method, into another folder, and left out.
    """
    dump = trainer._dump_generations

    def recording(
        self: Any, inputs: list, outputs: list, gts: list, scores: list, reward_extra_infos_dict: dict, dump_path: str
    ) -> None:
        dump(self, inputs, outputs, gts, scores, reward_extra_infos_dict, dump_path)
        if dump_path == self.config.trainer.rollout_data_dir:
            right = map(as_truth, reward_extra_infos_dict.get("acc") or [None] * len(inputs))
            writer.add(int(self.global_steps), map(read_rollout, inputs, outputs, scores, gts, right))

    trainer._dump_generations = recording
