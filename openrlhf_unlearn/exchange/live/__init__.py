"""Other frameworks' runs written as they train, so that `analyze --watch` follows them.

writer = LiveWriter("run", model="Qwen/Qwen3-0.6B", threshold=0.5)      in any trainer: writer.add(step, rollouts)
reward_funcs = [recorded(accuracy, writer)]                             TRL: exchange/live/trl.py
record_generations(RayPPOTrainer, writer)                               verl: exchange/live/verl.py
openrlhf-unlearn import prime-rl OUTPUT_DIR/ --run run --follow         what writes a file a step: nothing to change
"""

from openrlhf_unlearn.exchange.formats.base import ImportedRollout
from openrlhf_unlearn.exchange.live.trl import recorded as recorded
from openrlhf_unlearn.exchange.live.verl import record_generations as record_generations
from openrlhf_unlearn.exchange.live.writer import LiveWriter as LiveWriter

Rollout = ImportedRollout
