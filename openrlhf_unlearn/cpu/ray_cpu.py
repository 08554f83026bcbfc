"""The old name of `host.cpu.ray_cpu`, for patched installations of the release before."""

from openrlhf_unlearn.host.cpu.ray_cpu import *  # noqa: F403
