"""What this machine multiplies in a second, as JSON: `python examples/real_machine.py --output machine.json`.

Matrices of the size that a language model of a few hundred million parameters has, in the two kinds of numbers that are
used: bfloat16 in training and sampling, float32 in the probe on a CPU. The measure for tokens a second: a token costs
about 2 floating-point operations a parameter forward, 4 backward.
"""

import argparse
import time
from pathlib import Path

import torch

from openrlhf_unlearn.machine.products import widen_products
from openrlhf_unlearn.store.run_dir import write_json

ROWS, INTO, OUT = 1024, 576, 1536
SECONDS = 2.0


def gigaflops(dtype: torch.dtype, device: str) -> float:
    """Floating-point operations a second of a product (ROWS, INTO) x (INTO, OUT), in units of 10^9."""
    a, b = torch.randn(ROWS, INTO, device=device).to(dtype), torch.randn(INTO, OUT, device=device).to(dtype)
    for _ in range(3):
        a @ b
    products, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < SECONDS:
        a @ b
        products += 1
        if device != "cpu":
            torch.cuda.synchronize()
    return 2 * ROWS * INTO * OUT * products / spent / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    widen_products()  # as training and sampling do
    found = {
        str(kind).removeprefix("torch."): round(gigaflops(kind, device)) for kind in (torch.bfloat16, torch.float32)
    }
    write_json(parser.parse_args().output, {"gigaflops": found, "device": device, "threads": torch.get_num_threads()})
    print(f"{found['bfloat16']} GFLOP/s in bfloat16, {found['float32']} in float32, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
