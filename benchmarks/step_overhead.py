"""What the plugin costs: median step time with `--unlearn.filter dynamic` over stock dynamic filtering.

    python benchmarks/step_overhead.py [--steps 12] [--pairs 2]

Stock `--algo.dynamic_filtering_enable` and the plugin train on the built-in world with the same seed and data, in turn
(A B B A …), the tracker, the clip counts and the grader's bookkeeping included. Both read one plain reward function.
The step time is the host's own `timing/step_total`; the first two steps of a run warm up and do not count. A step
samples as many prompts as its rejections ask for, so the time a sampled prompt is printed too.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

REWARD = """
import re, torch
def reward_func(queries, prompts, labels):
    found = [re.search(r"boxed.(.*).<eos>$", query[len(prompt):]) for query, prompt in zip(queries, prompts)]
    rewards = torch.tensor([float(bool(m) and m[1] == label) for m, label in zip(found, labels)])
    return {"rewards": rewards, "scores": rewards, "extra_logs": {}}
"""
WARM_UP = 2


def step_times(text: str) -> list[float]:
    """Seconds of each step from the host's log lines."""
    return [float(value) for value in re.findall(r"'timing/step_total': ([0-9.]+)", text)][WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=12, help="steps of each run, roughly")
    parser.add_argument("--pairs", type=int, default=2, help="runs of each kind")
    args = parser.parse_args()

    from openrlhf_unlearn import cli
    from tests.integration.stack import Training

    times: dict[str, list[float]] = {"stock": [], "plugin": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cli.main(["microworld", str(folder / "world"), "--seed", "0"])
        (folder / "reward.py").write_text(REWARD)
        episodes = max(1, round(args.steps / 4.5))  # an episode of 320 prompts fills four to five steps of 32 groups
        for pair in range(args.pairs):
            for kind in ("stock", "plugin") if pair % 2 == 0 else ("plugin", "stock"):
                training = Training(folder / "world", folder / f"{kind}{pair}", plugin=kind == "plugin")
                text = training(
                    timeout=3000,
                    reward__remote_url=folder / "reward.py",
                    train__num_episodes=episodes,
                    **({} if kind == "plugin" else {"algo__dynamic_filtering_enable": True}),
                )
                times[kind] += step_times(text)
                print(f"{kind}: {len(times[kind])} steps, median {statistics.median(times[kind]):.2f} s", flush=True)
    ratio = statistics.median(times["plugin"]) / statistics.median(times["stock"])
    spread = {kind: [min(values), max(values)] for kind, values in times.items()}
    print(
        json.dumps(
            {
                "benchmark": "step_overhead",
                "ratio": round(ratio, 3),
                "bar": 1.02,
                "better": "lower",
                "steps": {kind: len(values) for kind, values in times.items()},
                "median_s": {kind: statistics.median(values) for kind, values in times.items()},
                "range_s": spread,
            }
        )
    )


if __name__ == "__main__":
    main()
