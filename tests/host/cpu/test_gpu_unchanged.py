"""On a GPU the patched host does what it did: the same torch.cuda functions, none of our ways for a CPU.

No GPU is needed: DeepSpeed's CUDA accelerator is real, torch.cuda's functions are recorded where they are called.
"""

import types

import deepspeed.accelerator.real_accelerator as real_accelerator
import pytest
import torch
from deepspeed.accelerator import set_accelerator
from deepspeed.accelerator.cuda_accelerator import CUDA_Accelerator

from openrlhf_unlearn.host.cpu.rewrite import _CALLS
from openrlhf_unlearn.host.cpu.weight_sync import CpuGroup, on_cpu
from openrlhf_unlearn.host.patching import Patch
from tests.host.cpu.test_weight_sync import free_port


@pytest.fixture
def gpu_accelerator():
    """DeepSpeed believes in a GPU."""
    before = real_accelerator.ds_accelerator
    set_accelerator(CUDA_Accelerator())
    yield CUDA_Accelerator()
    real_accelerator.ds_accelerator = before


@pytest.fixture
def cpu_accelerator():
    from deepspeed.accelerator.cpu_accelerator import CPU_Accelerator

    before = real_accelerator.ds_accelerator
    set_accelerator(CPU_Accelerator())
    yield
    real_accelerator.ds_accelerator = before


def patched(name):
    """The patched host file as a module of its own."""
    module = types.ModuleType(name)
    exec(compile(Patch().planned()[name], name, "exec"), vars(module))
    return module


@pytest.mark.parametrize(("cuda_name", "ours"), sorted(_CALLS.items()))
def test_the_accelerator_calls_the_same_torch_function(cuda_name, ours, monkeypatch, gpu_accelerator):
    """One call of the torch.cuda function that stood there, its arguments as they are, its answer handed on."""
    calls = []

    def record(name, original):
        return lambda *args, **kwargs: (
            calls.append((name, args, kwargs)) or (3 if name == "current_device" else original)
        )

    for name in _CALLS:
        monkeypatch.setattr(torch.cuda, name, record(name, getattr(torch.cuda, name)))
    given = (1,) if cuda_name == "set_device" else ()
    answer = getattr(gpu_accelerator, ours)(*given)
    assert [(name, args) for name, args, _ in calls] == [(cuda_name, given)] or (
        cuda_name in ("synchronize", "current_stream") and calls[0][0] == cuda_name and calls[0][1] in ((), (None,))
    )
    if cuda_name == "current_device":
        assert torch.device(answer) == torch.device("cuda", 3) == torch.device(f"cuda:{3}")
    elif cuda_name == "current_stream":
        assert answer is not None


def test_the_device_is_named_cuda(gpu_accelerator):
    assert gpu_accelerator.device_name() == "cuda"
    assert not on_cpu()


def test_the_weight_sync_group_is_nccls_on_a_gpu(gpu_accelerator):
    from vllm.distributed.device_communicators.pynccl import PyNcclCommunicator

    group = patched("utils/distributed_util.py").stateless_init_process_group("127.0.0.1", free_port(), 0, 1, "cuda:0")
    assert type(group) is PyNcclCommunicator


def test_the_weight_sync_group_is_gloos_on_a_cpu(cpu_accelerator):
    group = patched("utils/distributed_util.py").stateless_init_process_group("127.0.0.1", free_port(), 0, 1, "cpu")
    assert type(group) is CpuGroup


class Reached(Exception):
    """The host's own line was reached, with a tensor on this device."""


class Worker:
    """What update_weight needs of vLLM's worker up to its broadcast."""

    model_config = types.SimpleNamespace(dtype=torch.bfloat16)
    _model_update_with_ray = False

    @property
    def _model_update_group(self):
        return self

    def broadcast(self, weight, **kwargs):
        raise Reached(f"a tensor on {weight.device}")


def test_a_received_weight_goes_to_the_gpu_by_the_hosts_own_lines(gpu_accelerator):
    update_weight = patched("trainer/ray/vllm_worker_wrap.py").WorkerWrap.update_weight
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        # Without a GPU torch refuses the host's torch.empty(device="cuda"); with one, its broadcast is reached.
        with pytest.raises((AssertionError, RuntimeError, Reached), match="(?i)cuda"):
            update_weight(Worker(), "name", torch.bfloat16, (2, 3))
    finally:
        torch.distributed.destroy_process_group()


def test_with_a_gpu_ray_is_left_to_the_host(monkeypatch):
    import ray

    from openrlhf_unlearn.host.cpu.ray_cpu import prepare_cpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)  # on a machine with a GPU it would be refused
    prepare_cpu(None)  # touches no flag
    assert not ray.is_initialized()
