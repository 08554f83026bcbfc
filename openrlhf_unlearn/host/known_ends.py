"""Ends of a training that need no trace, only a line: out of memory, and what left the Ray cluster."""

OUT_OF_MEMORY = (
    "out of memory, and a worker was ended: lower --train.micro_batch_size and --rollout.micro_batch_size (with "
    "--train.dynamic_batch_enable: --train.max_tokens_per_gpu and --rollout.max_tokens_per_gpu), on a GPU also "
    "--vllm.gpu_memory_utilization; then go on with --ckpt.load_enable"
)
LOST_NODE = (
    "a machine of the Ray cluster was lost. When it, or another, has joined (ray status), the same command with "
    "--ckpt.load_enable goes on from the last checkpoint"
)
UNREACHABLE = (  # what Ray says until it knows which of the two it was
    "an actor cannot be reached: its machine was lost (ray status), or its process was ended (dmesg, if for memory). "
    "With both back, the same command with --ckpt.load_enable goes on from the last checkpoint"
)
_SIGNS = {
    OUT_OF_MEMORY: ("MemoryError", "OutOfMemory", "out of memory", "running low on memory", "DefaultCPUAllocator"),
    LOST_NODE: ("node has died", "node dying", "node died", "NodeDiedError"),
    UNREACHABLE: ("ActorUnavailableError",),
}


def known_end(error: BaseException) -> str | None:
    """The line for it, if Ray, PyTorch or CUDA says so in the error or in what it came from; None for all others."""
    texts, seen = [], set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        texts.append(f"{type(at).__name__}: {at}")
        at = getattr(at, "cause", None) or at.__cause__ or at.__context__
    return next((line for line, signs in _SIGNS.items() if any(s in text for s in signs for text in texts)), None)
