"""What only a GPU can show; skipped, with the reason, elsewhere. No test of this folder has run on a GPU yet.

bash tests/run.sh tests/gpu                                      UNLEARN_PYTHON names an environment that is there
OPENRLHF_UNLEARN_GPU_TESTS_ON=cpu bash tests/run.sh tests/gpu    proves no more than that the tests themselves run
"""

import os

import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else os.environ.get("OPENRLHF_UNLEARN_GPU_TESTS_ON")
GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0


def needs_gpus(n: int = 1) -> list[pytest.MarkDecorator]:
    """Marks of a test that needs `n` GPUs."""
    reason = f"needs {n} GPU{'s' * (n > 1)} that CUDA sees; there are {GPUS}"
    return [pytest.mark.gpu, pytest.mark.skipif(DEVICE != "cpu" and n > GPUS, reason=reason)]
