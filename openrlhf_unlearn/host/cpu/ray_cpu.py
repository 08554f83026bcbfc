"""Where there is no GPU: Ray with logical ones and flags that fit, before the host starts."""

import os

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.machine.ray_settings import environment, ray_init_kwargs
from openrlhf_unlearn.machine.threads import choose_threads


def check_accelerator(has_gpu: bool) -> None:
    """Refuse a GPU machine on which DeepSpeed is told to use the CPU. Raises UserError."""
    if has_gpu and os.environ.get("DS_ACCELERATOR") == "cpu":
        raise UserError(
            "DS_ACCELERATOR=cpu is exported on a machine with a GPU: DeepSpeed would train on the CPU and vLLM sample "
            "on the GPU; unset it, or set CUDA_VISIBLE_DEVICES= too and do all of it on the CPU"
        )


def at_once(args) -> int:
    """Processes of a training that compute at the same time; trainer and engines take turns if it is synchronous."""
    ranks = args.actor.num_nodes * args.actor.num_gpus_per_node
    engines = (args.vllm.num_engines or 0) * args.vllm.tensor_parallel_size
    return ranks + engines if args.train.async_enable else max(ranks, engines)


def prepare_cpu(args) -> None:
    """Where there is no GPU: start Ray with logical ones and complete the flags, before the host starts its own Ray.

    A Ray cluster that is there already is left as it is: its machines may have GPUs though this one has none. Its
    owner's DS_ACCELERATOR=cpu says that they have not; then the flags are completed (patches/README.md).
    """
    import ray
    import torch

    # Without it Ray refuses a variable that both `ray job submit` and the driver give. The driver's values, ours and
    # the host's, are read from its environment, so they repeat the job's.
    os.environ.setdefault("RAY_OVERRIDE_JOB_RUNTIME_ENV", "1")
    check_accelerator(torch.cuda.is_available())
    if torch.cuda.is_available() or ray.is_initialized():
        return
    if not _start_ray(args) and os.environ.get("DS_ACCELERATOR") != "cpu":
        return
    args.vllm.enforce_eager = True
    args.vllm.sync_backend = "gloo"  # names what our group uses; the host would take CUDA IPC with nccl
    if "flash" in args.ds.attn_implementation:
        args.ds.attn_implementation = "eager"


def _start_ray(args) -> bool:
    """False if there is a cluster already: RAY_ADDRESS, or `ray start` on this machine."""
    import ray

    if os.environ.get("RAY_ADDRESS", "local") != "local":
        return False
    # As the host loads it, which trusts the model's code.
    threads = choose_threads(args.actor.model_name_or_path, at_once(args), trust_remote_code=True)
    try:
        ray.init(**ray_init_kwargs(threads))
    except ValueError as error:
        if "existing cluster" in str(error):
            return False
        raise
    os.environ.update(environment(threads))
    return True
