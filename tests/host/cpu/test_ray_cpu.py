"""Variables that `ray job submit` and a driver both give, and a device that contradicts the machine."""

import json
import os
import subprocess
import sys

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.cpu.ray_cpu import check_accelerator

# The host repeats a job's variables in its own ray.init, where ours has not started Ray before.
DRIVER = """
import os, sys
from types import SimpleNamespace as N
from openrlhf_unlearn.host.cpu.ray_cpu import prepare_cpu
args = N(
    actor=N(model_name_or_path="none", num_nodes=1, num_gpus_per_node=1),
    vllm=N(num_engines=1, tensor_parallel_size=1), train=N(async_enable=False), ds=N(attn_implementation="eager"),
)
prepare_cpu(args)
import ray
if not ray.is_initialized():
    ray.init(runtime_env={"env_vars": {"NCCL_DEBUG": os.environ["NCCL_DEBUG"]}})
get = lambda: (os.environ["NCCL_DEBUG"], os.environ["DS_ACCELERATOR"], os.environ["OMP_NUM_THREADS"])
print("seen", *ray.get(ray.remote(num_gpus=1)(get).remote()), getattr(args.vllm, "sync_backend", None))
"""


@pytest.mark.slow
def test_variables_of_a_job_are_merged_with_those_of_the_driver():
    given = {"NCCL_DEBUG": "INFO", "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "3"}
    job = {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": {"env_vars": given}, "metadata": {}})}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], env={**os.environ, **given, **job}, capture_output=True, text=True
    )
    assert "seen INFO cpu 3 gloo" in done.stdout, done.stdout + done.stderr


def test_a_device_that_contradicts_the_machine_is_refused(monkeypatch):
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    check_accelerator(has_gpu=False)
    with pytest.raises(UserError, match="DS_ACCELERATOR=cpu is exported on a machine with a GPU: .*; unset it"):
        check_accelerator(has_gpu=True)
    monkeypatch.delenv("DS_ACCELERATOR")
    check_accelerator(has_gpu=True)
