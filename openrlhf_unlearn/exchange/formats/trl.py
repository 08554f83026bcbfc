"""TRL: `log_completions=True` writes `OUTPUT_DIR/completions/completions_{step}.parquet` at every log.

The reward's column has the name of the user's function. A log holds what was generated last, so logs that come oftener
than generations (`num_iterations`, `steps_per_generation`) repeat it: what a log repeats of the one before counts once.
Logs that come more seldom (`logging_steps` above 1) leave steps out: the import says what share it has.
"""

from openrlhf_unlearn.exchange.formats.base import Format

TRL = Format(
    "trl",
    "GRPOTrainer.log of TRL 1.16.0",
    {"prompt": "prompt", "response": "completion", "step": "step"},
    training=("**/completions_*.parquet",),
    evaluation=("**/completions_*.parquet",),
    step=r"completions_(\d+)\.parquet$",
    not_rewards=frozenset({"step", "advantage"}),
    once=True,
)
