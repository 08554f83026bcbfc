"""How long and how much memory an import takes: 40,000 prompts, 32 samples each, as training rollouts and evaluation.

    python benchmarks/importing.py

Writes one zstd-compressed file of JSON lines, as a verl user would keep it, and times the command in a process of its
own. The ratio is the growth over ten times as many prompts, in processor time without starting up: 10 is linear.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

SIZES, SAMPLES, LETTERS = (4_000, 40_000), 32, 1_500
SECONDS_BAR, MEMORY_BAR, GROWTH_BAR = 120.0, 3.0, 13.0


def write_rollouts(path: Path, prompts: int) -> None:
    with pa.output_stream(str(path), compression="zstd") as file:
        for number in range(prompts):
            asked = f"Question {number}: how many {'apples and pears ' * 10}are there?"
            for sample in range(SAMPLES):
                row = {"input": asked, "output": f"{sample:07d} steps " * (LETTERS // 14), "gts": str(number)}
                row |= {"score": float((number + sample) % 7 == 0), "step": 1}
                file.write(json.dumps(row).encode() + b"\n")


def measured(*words: str) -> tuple[float, float]:
    """Seconds on the clock, and processor seconds, of a Python process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imports(prompts: int) -> list[tuple[float, float]]:
    """`measured` of the import as an evaluation, and as training rollouts of which 2 a prompt are kept."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "1.jsonl.zst")
        write_rollouts(source, prompts)
        command = ("-m", "openrlhf_unlearn.cli", "import", "verl", str(source), "--run")
        return [
            measured(*command, f"{folder}/evaluated", "--tag", "initial"),
            measured(*command, f"{folder}/trained", "--save-rollouts", "2"),
        ]


def main() -> None:
    start_up = min(measured("-c", "import openrlhf_unlearn.exchange.importing")[1] for _ in range(3))
    small, large = map(imports, SIZES)
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    for name, (seconds, busy) in zip(("evaluation", "training"), large, strict=True):
        print(f"{SIZES[1]} prompts x {SAMPLES} samples, {name}: {seconds:.1f} s, processor {busy:.1f} s")
    print(f"peak memory {gigabytes:.2f} GB")
    growth = max((b[1] - start_up) / (a[1] - start_up) for a, b in zip(small, large, strict=True))
    seconds = max(seconds for seconds, _ in large)
    result = {"benchmark": "importing", "ratio": round(growth, 2), "bar": GROWTH_BAR, "better": "lower"}
    figures = {"seconds": round(seconds, 1), "seconds_bar": SECONDS_BAR, "gigabytes": round(gigabytes, 3)}
    print(json.dumps({**result, **figures, "gigabytes_bar": MEMORY_BAR, "prompts": SIZES[1]}))
    if growth > GROWTH_BAR or seconds > SECONDS_BAR or gigabytes > MEMORY_BAR:
        sys.exit(1)


if __name__ == "__main__":
    main()
