"""Mathematical answers, graded in processes that can be killed: `--reward.remote_url examples/reward_math.py`."""

from openrlhf_unlearn.grading.reward import reward_func

__all__ = ["reward_func"]
