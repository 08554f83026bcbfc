"""Ray on a machine without a GPU: OpenRLHF asks for GPU bundles, so Ray is told of logical ones."""

import os

from openrlhf_unlearn.machine.threads import omp_num_threads

LOGICAL_GPUS = 16  # counts of bundles, not of devices: policy, reference, engines, each its own


def environment(threads: int = 1) -> dict[str, str]:
    """Variables that every process of a CPU run needs; what the user has set stays."""
    wanted = {
        "DS_ACCELERATOR": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        # The host sets these two where it starts Ray itself.
        "TOKENIZERS_PARALLELISM": "true",
        "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1",
    }
    kept = {name: os.environ.get(name, value) for name, value in wanted.items()}
    return {**kept, "OMP_NUM_THREADS": omp_num_threads(threads)}


def ray_init_kwargs(threads: int = 1) -> dict:
    """Arguments of `ray.init` for a Ray of this machine's own."""
    return {
        "num_gpus": LOGICAL_GPUS,
        "num_cpus": max(LOGICAL_GPUS * 2, os.cpu_count() or 1),
        "include_dashboard": False,  # 0.5 GB and ten seconds of a core for pages that nobody opens
        "runtime_env": {"env_vars": environment(threads)},
    }
