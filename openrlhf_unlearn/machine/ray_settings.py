"""Ray on a machine without a GPU: OpenRLHF asks for GPU bundles, so Ray is told of logical ones."""

import os

from openrlhf_unlearn.machine.threads import omp_num_threads

# vLLM on a CPU schedules in one process and computes in another, and each waits for the other in a busy loop. An engine
# whose `distributed_executor_backend` is this does both in one.
ONE_PROCESS = "vllm.v1.executor.uniproc_executor.UniProcExecutor"
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
    # The host names its engines' backend, "uni", and with this variable vLLM leaves it at that.
    multiprocessing = os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    variables = {**environment(threads), "VLLM_ENABLE_V1_MULTIPROCESSING": multiprocessing}
    return {
        "num_gpus": LOGICAL_GPUS,
        "num_cpus": max(LOGICAL_GPUS * 2, os.cpu_count() or 1),
        "include_dashboard": False,  # 0.5 GB and ten seconds of a core for pages that nobody opens
        "runtime_env": {"env_vars": variables},
        "_system_config": {"prestart_worker_first_driver": False},  # workers without our variables, which none can use
    }
