"""The old name of `host.plugin`, for configurations and scripts of the release before."""

from openrlhf_unlearn.host.plugin import *  # noqa: F403
