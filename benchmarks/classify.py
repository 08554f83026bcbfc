"""How long and how much memory classification takes: 4,000 and 40,000 prompts, 32 samples, 3 runs, nothing to be given.

    python benchmarks/classify.py

Writes runs in the real layout to a temporary folder and times the command in a process of its own, reading and
writing included. The ratio is the growth over ten times as many prompts, in processor time without that of starting up
(importing), so that it hides no growth and other work on the machine does not blur it: 10 is linear, below it better.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import SCHEMA_VERSION, RunDir, prompt_id, write_json, write_table
from openrlhf_unlearn.store.training import Rewards

SIZES, SAMPLES, RUNS, STEPS, BATCH = (4_000, 40_000), 32, 3, 60, 1_024
SECONDS_BAR, MEMORY_BAR, GROWTH_BAR = 60.0, 2.0, 13.0


def evaluation(ids: np.ndarray, rates: np.ndarray, rng: np.random.Generator) -> pa.Table:
    hit = (rng.random((len(ids), SAMPLES)) < rates[:, None]).ravel()
    return pa.table(
        {
            "prompt_id": np.repeat(ids, SAMPLES),
            "sample": np.tile(np.arange(SAMPLES, dtype=np.int32), len(ids)),
            "response": pa.array(["#1234\\boxed{5}"] * hit.size),
            "reward": hit.astype(float),
            "verdict": np.where(hit, "correct", "wrong"),
            "n_tokens": np.full(hit.size, 9, dtype=np.int32),
        },
        schema=Evaluations.schema,
    )


def write_runs(folder: Path, size: int) -> list[Path]:
    """Runs with pass rates like the paper's: easy, learned, not learned and impossible prompts."""
    rng = np.random.default_rng(0)
    ids = np.array([prompt_id(f"question {i}", "1") for i in range(size)])
    kind = rng.choice(4, size, p=[0.35, 0.3, 0.25, 0.1])
    before = np.choose(kind, [rng.beta(2, 1.5, size), rng.beta(1, 20, size), rng.beta(0.6, 25, size), np.zeros(size)])
    prompts = pa.table({"prompt_id": ids, "prompt": ids, "label": ["1"] * size, "datasource": ["b"] * size})
    initial = evaluation(ids, before, rng)
    paths = []
    for seed in range(RUNS):
        after = np.choose(kind, [rng.beta(8, 0.7, size), rng.beta(3, 0.8, size), rng.beta(0.8, 20, size), before])
        run = RunDir(folder / f"run{seed}")
        write_json(run.run_json, {"schema_version": SCHEMA_VERSION, "model": "m", "seed": seed, "args": {}})
        write_table(run.prompts, prompts.cast(Prompts.schema))
        write_table(run.evaluation("initial"), initial)
        write_table(run.evaluation("final"), evaluation(ids, after, rng))
        for step in range(1, STEPS + 1):
            chosen = rng.choice(size, min(BATCH * size // SIZES[-1] * 10, size), replace=False)
            positive = rng.binomial(8, before[chosen])
            write_table(run.step_file("rewards", step), reward_rows(step, ids[chosen], positive))
        paths.append(run.path)
    return paths


def reward_rows(step: int, ids: np.ndarray, positive: np.ndarray) -> pa.Table:
    size = len(ids)
    columns = {
        "step": np.full(size, step, dtype=np.int32),
        "prompt_id": ids,
        "processed": np.zeros(size, dtype=bool),
        "n": np.full(size, 8, dtype=np.int32),
        "n_positive": positive.astype(np.int32),
        "mean_reward": positive / 8,
        "std_reward": np.zeros(size),
        **{name: np.zeros(size, dtype=np.int32) for name in ("n_replayed", "n_no_answer", "n_timeout", "n_error")},
        "accepted": np.ones(size, dtype=bool),
        "reason": ["accepted"] * size,
    }
    return pa.table(columns, schema=Rewards.schema)


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds on the clock, and processor seconds, of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.monotonic() - started, busy


def classification(size: int) -> tuple[float, float]:
    """`measured` of `openrlhf-unlearn classify` on three runs of `size` prompts."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_runs(Path(folder), size)
        return measured(["-m", "openrlhf_unlearn.cli", "classify", *map(str, paths)])


def main() -> None:
    start_up = min(measured(["-c", "import openrlhf_unlearn.labels.classify"])[1] for _ in range(3))
    seconds, busy = zip(*(classification(size) for size in SIZES), strict=True)
    # The largest child so far: only the big classification comes near its own peak.
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    growth = (busy[1] - start_up) / (busy[0] - start_up)
    for size, taken, used in zip(SIZES, seconds, busy, strict=True):
        print(f"{size:>6} prompts x {SAMPLES} samples x {RUNS} runs: {taken:.1f} s, processor {used:.1f} s")
    print(f"starting up: processor {start_up:.1f} s; peak memory {gigabytes:.2f} GB")
    result = {"benchmark": "classify", "ratio": round(growth, 2), "bar": GROWTH_BAR, "better": "lower"}
    figures = {"seconds": round(seconds[1], 2), "seconds_bar": SECONDS_BAR, "gigabytes": round(gigabytes, 3)}
    print(json.dumps({**result, **figures, "gigabytes_bar": MEMORY_BAR, "prompts": SIZES[1]}))
    if growth > GROWTH_BAR or seconds[1] > SECONDS_BAR or gigabytes > MEMORY_BAR:
        sys.exit(1)


if __name__ == "__main__":
    main()
