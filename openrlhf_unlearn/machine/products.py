"""Products of bfloat16 matrices on a CPU without instructions for them (no AVX-512, no AMX).

PyTorch multiplies them there by plain loops, many times slower than in float32, forward and backward, and OpenRLHF
trains and samples in nothing wider. A product of bfloat16 matrices is a sum in float32, rounded once: so they are
multiplied in float32 and rounded, and no number changes but by the order of the sums. `python benchmarks/products.py`
says what that gains.
"""

import functools
import warnings

import torch

_OPERATORS = ("mm", "addmm", "bmm", "baddbmm")  # of which PyTorch makes linear layers, matmul and their gradients


def widen_products() -> None:
    """Multiply bfloat16 matrices in float32, in this process, where there is no GPU and the CPU gains by it."""
    if not torch.cuda.is_available() and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        replace_kernels()


class Widening:
    """For vLLM's `worker_extension_cls`: what can then be asked of its workers by `collective_rpc`."""

    def widen_products(self) -> None:
        widen_products()


@functools.cache
def replace_kernels() -> torch.library.Library:
    """Once a process. The kernels stay while what is returned lives, which the cache sees to."""
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings(action="ignore"):  # that a kernel is replaced is what we want
        for name in _OPERATORS:
            library.impl(name, functools.partial(_product, getattr(torch.ops.aten, name).out), "CPU")
    return library


def _product(multiply, *matrices: torch.Tensor, **scale: float) -> torch.Tensor:
    """`multiply` is the operator's form that writes into `out`: a kernel of its own, which is not replaced."""
    dtype = matrices[-1].dtype
    if dtype is torch.bfloat16:
        matrices = tuple(matrix.float() for matrix in matrices)
    left, right = matrices[-2:]
    out = torch.empty((*left.shape[:-1], right.shape[-1]), dtype=right.dtype)
    return multiply(*matrices, **scale, out=out).to(dtype)
