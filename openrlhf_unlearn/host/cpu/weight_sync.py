"""Policy weights to vLLM's CPU build: a gloo group in place of NCCL, and one reload a sync.

vLLM repacks its weights for the CPU, so that one tensor at a time cannot be loaded: the tensors of a sync are
collected and reloaded together when the last one has come.
"""

import torch

from openrlhf_unlearn.machine.products import widen_products


def on_cpu() -> bool:
    """Whether DeepSpeed's accelerator is the CPU; on a GPU none of this module is used."""
    from deepspeed.accelerator import get_accelerator

    return get_accelerator().device_name() == "cpu"


class CpuGroup:
    """The part of vLLM's PyNcclCommunicator that OpenRLHF calls, over gloo."""

    def __init__(self, group: torch.distributed.ProcessGroup):
        self.group = group

    def broadcast(self, tensor: torch.Tensor, src: int, stream=None) -> None:
        """Send `tensor` from rank `src` to all others, in place; `stream` is the GPU's and unused."""
        options = torch.distributed.BroadcastOptions()
        options.rootRank, options.rootTensor = src, 0
        self.group.broadcast([tensor], options).wait()


def cpu_group(host: str, port: int, rank: int, world_size: int) -> CpuGroup:
    """Join the group of the policy's rank 0 and all vLLM workers."""
    from vllm.distributed.utils import stateless_init_torch_distributed_process_group

    widen_products()  # here, because every vLLM worker comes by before it samples
    return CpuGroup(stateless_init_torch_distributed_process_group(host, port, rank, world_size, backend="gloo"))


def receive_weight(worker, name: str, dtype: torch.dtype, shape, last: bool) -> None:
    """In a vLLM worker: take one tensor of the sync; with the `last` one, reload the model."""
    if dtype != worker.model_config.dtype:
        raise TypeError(f"{name} is sent as {dtype}, vLLM holds {worker.model_config.dtype}")
    weight = torch.empty(shape, dtype=dtype)
    worker._model_update_group.broadcast(weight, src=0)
    collected = worker.__dict__.setdefault("_unlearn_weights", [])
    collected.append((name, weight))
    if last:
        worker.model_runner.reload_weights(weights_iterator=iter(collected))
        collected.clear()
        repack_output_layer(worker.model_runner.get_model())


def repack_output_layer(model: torch.nn.Module) -> None:
    """Pack the output layer anew: tied to the embedding it is sent no tensor, and vLLM's reload keeps the old copy."""
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

    for layer in model.modules():
        if isinstance(layer, ParallelLMHead):
            layer.quant_method.process_weights_after_loading(layer)
