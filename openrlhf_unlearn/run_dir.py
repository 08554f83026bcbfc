"""The old name of `store.run_dir`, for configurations and scripts of the release before."""

from openrlhf_unlearn.store.run_dir import *  # noqa: F403
