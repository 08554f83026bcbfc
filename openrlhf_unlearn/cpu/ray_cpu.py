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
        "TOKENIZERS_PARALLELISM": "true",
    }
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def ray_init_kwargs() -> dict:
    """Arguments of `ray.init` for a Ray of this machine's own."""
    return {
        "num_gpus": LOGICAL_GPUS,
        "num_cpus": max(LOGICAL_GPUS * 2, os.cpu_count() or 1),
        "runtime_env": {"env_vars": environment()},
    }


def prepare_cpu(args) -> None:
    """Where there is no GPU: set the environment and start Ray, before the host does. Elsewhere: nothing."""
    import torch

    if torch.cuda.is_available():
        return
    import ray

    os.environ.update(environment())
    args.vllm.enforce_eager = True
    args.vllm.sync_backend = "gloo"  # names what our group uses; the host would take CUDA IPC with nccl
    if "flash" in args.ds.attn_implementation:
        args.ds.attn_implementation = "eager"
    if not ray.is_initialized() and not os.environ.get("RAY_ADDRESS"):
        ray.init(**ray_init_kwargs())
