"""The old name of `host.launcher`, for patched installations of the release before."""

from openrlhf_unlearn.host.launcher import *  # noqa: F403
