"""Ray on a machine without a GPU: OpenRLHF asks for GPU bundles, so Ray is told of logical ones."""

import os

LOGICAL_GPUS = 16  # counts of bundles, not of devices: policy, reference, engines, each its own


def environment() -> dict[str, str]:
    """Variables that every process of a CPU run needs; what the user has set stays."""
    wanted = {
        "DS_ACCELERATOR": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        # The host sets these two where it starts Ray itself.
        "TOKENIZERS_PARALLELISM": "true",
        "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1",
    }
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def ray_init_kwargs() -> dict:
    """Arguments of `ray.init` for a Ray of this machine's own."""
    return {
        "num_gpus": LOGICAL_GPUS,
        "num_cpus": max(LOGICAL_GPUS * 2, os.cpu_count() or 1),
        "include_dashboard": False,  # 0.5 GB and ten seconds of a core for pages that nobody opens
        "runtime_env": {"env_vars": environment()},
    }


def prepare_cpu(args) -> None:
    """Where there is no GPU: start Ray with logical ones and complete the flags, before the host starts its own Ray.

    Nothing is done where there is a GPU, nor where a Ray cluster is there already: its machines may have GPUs though
    this one has none, and who started it has chosen its environment (patches/README.md).
    """
    import ray
    import torch

    if torch.cuda.is_available() or ray.is_initialized():
        return
    try:
        ray.init(**ray_init_kwargs())
    except ValueError as error:
        if "existing cluster" in str(error):  # RAY_ADDRESS, or `ray start` on this machine
            return
        raise
    os.environ.update(environment())
    args.vllm.enforce_eager = True
    args.vllm.sync_backend = "gloo"  # names what our group uses; the host would take CUDA IPC with nccl
    if "flash" in args.ds.attn_implementation:
        args.ds.attn_implementation = "eager"
