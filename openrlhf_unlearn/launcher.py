"""The old name of `host.launcher`, for patched installations and commands of the release before."""

import sys

from openrlhf_unlearn.host.launcher import *  # noqa: F403
from openrlhf_unlearn.host.launcher import main

if __name__ == "__main__":
    sys.exit(main())
