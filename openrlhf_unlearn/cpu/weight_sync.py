"""The old name of `host.cpu.weight_sync`, for patched installations of the release before."""

from openrlhf_unlearn.host.cpu.weight_sync import *  # noqa: F403
