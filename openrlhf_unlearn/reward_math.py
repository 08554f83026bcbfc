"""Mathematical answers, graded in processes that can be killed: `--reward.remote_url openrlhf_unlearn.reward_math`.

OpenRLHF wants a file; with the plugin the module's name will do, and without it this file's path, which
`python -m openrlhf_unlearn.reward_math` prints.
"""

from openrlhf_unlearn.grading.reward import reward_func

__all__ = ["reward_func"]

if __name__ == "__main__":
    print(__file__)
