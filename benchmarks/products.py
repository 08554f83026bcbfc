"""Products of bfloat16 on this CPU: PyTorch's own against those of machine/products.py, forward and backward.

    python benchmarks/products.py [--rows 3840] [--width 128] [--repeats 5]

Both in turn, in one process with one thread. The last line is one JSON object: `ratio` is PyTorch's seconds over ours,
the median over the repeats; `used`: whether training and sampling take ours here.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from anywhere, without an installation

from openrlhf_unlearn.machine import products


def seconds(layer: torch.nn.Module, x: torch.Tensor) -> float:
    started = time.perf_counter()
    layer(x).sum().backward()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3840, help="tokens of a micro-batch")
    parser.add_argument("--width", type=int, default=128, help="of the model; its feed-forward layer is four times it")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    layer = torch.nn.Linear(args.width, 4 * args.width, bias=False).bfloat16()
    x = torch.randn(args.rows, args.width).bfloat16().requires_grad_()
    own, ours = [], []
    for repeat in range(args.repeats + 1):
        own.append(seconds(layer, x))
        products.replace_kernels()
        ours.append(seconds(layer, x))
        products.replace_kernels.cache_clear()
        gc.collect()
        print(f"{repeat}: {own[-1]:.4f} s, in float32 {ours[-1]:.4f} s", file=sys.stderr)
    products.widen_products()
    used = products.replace_kernels.cache_info().currsize == 1
    ratio = statistics.median(a / b for a, b in zip(own[1:], ours[1:], strict=True))  # the first of each warms up
    print(json.dumps({"ratio": round(ratio, 1), "used": used, "capability": torch.backends.cpu.get_cpu_capability()}))


if __name__ == "__main__":
    main()
