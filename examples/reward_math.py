"""Mathematical answers, graded in processes that can be killed: `--reward.remote_url examples/reward_math.py`."""

from openrlhf_unlearn.reward_math import reward_func as reward_func
