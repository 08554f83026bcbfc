"""Does the chain find what was planted? The quickstart over several worlds and runs, against `truth.parquet`.

    python benchmarks/truth.py [--worlds 3] [--runs 3] [--folder truth]

Each world is trained on `--runs` times with other training seeds (`examples/quickstart.sh`). Printed for each world:
one run alone (each run in turn) and all runs together, with the worst of each figure over the worlds at the end.
Stopped half-way, the same command goes on.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn import cli
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.worlds.agreement import Agreement, agreement

ROOT = Path(__file__).parents[1]
BARS = {
    "one run": {
        "unlearnable_precision": 0.95,
        "unlearnable_recall": 0.8,
        "learnable_precision": 0.9,
        "learnable_recall": 0.8,
    },
    "all runs": {
        "unlearnable_precision": 0.9,
        "unlearnable_recall": 0.8,
        "learnable_precision": 0.9,
        "learnable_recall": 0.8,
        "wrong_share": 0.06,
    },
}


def train(folder: Path, world: Path, seed: int, run_seed: int) -> RunDir:
    """The quickstart's run in `folder`; returns at once if it is finished."""
    run = RunDir(folder / "run")
    if not run.learnability.exists():
        environment = {**os.environ, "SEED": str(seed), "RUN_SEED": str(run_seed), "WORLD": str(world)}
        subprocess.run(["bash", str(ROOT / "examples" / "quickstart.sh"), str(folder)], env=environment, check=True)
    return run


def classified(runs: list[RunDir], world: Path) -> Agreement:
    """Classify the runs together; the first run's learnability.parquet then holds what they say."""
    cli.main(["classify", *(str(run) for run in runs)])
    return agreement(world / "truth.parquet", runs[0].learnability)


def figures(found: Agreement) -> dict[str, float]:
    shares = {"wrong_share": found.n_wrong / found.n_prompts}
    for group in ("unlearnable", "learnable"):
        shares[f"{group}_precision"] = found.precision(group) or 0.0
        shares[f"{group}_recall"] = found.recall(group)
    return shares


def worst(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round((max if name == "wrong_share" else min)(row[name] for row in rows), 3) for name in rows[0]}


def reached(figure: dict[str, float], bars: dict[str, float]) -> bool:
    return all(figure[name] <= bar if name == "wrong_share" else figure[name] >= bar for name, bar in bars.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worlds", type=int, default=3, help="worlds, of seeds 0, 1, ...")
    parser.add_argument("--runs", type=int, default=3, help="runs on each")
    parser.add_argument("--folder", type=Path, default=Path("truth"), help="where worlds and runs are kept")
    args = parser.parse_args()

    rows: dict[str, list] = {"one run": [], "all runs": []}
    for seed in range(args.worlds):
        world = args.folder / f"world{seed}"
        runs = [train(args.folder / f"world{seed}-run{i}", world, seed, 10 * seed + i) for i in range(args.runs)]
        alone = [classified([run], world) for run in runs]
        together = classified(runs, world)
        for name, found in (*((f"run {i}", a) for i, a in enumerate(alone)), ("all runs", together)):
            print(f"\nworld {seed}, {name}", *found.lines(), sep="\n", flush=True)
        rows["one run"] += map(figures, alone)
        rows["all runs"].append(figures(together))
    least = {name: worst(found) for name, found in rows.items()}
    passed = {name: reached(least[name], BARS[name]) for name in least}
    print(json.dumps({"benchmark": "truth", "worlds": args.worlds, "runs": args.runs, "worst": least,
                      "bars": BARS, "reached": passed}))  # fmt: skip


if __name__ == "__main__":
    main()
