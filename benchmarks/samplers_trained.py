"""What `--unlearn.sampler posterior` saves in trainings on built-in worlds: benchmarks/samplers.py without its learner.

    openrlhf-unlearn microworld FOLDER/world --seed 0
    python benchmarks/samplers_trained.py FOLDER/world [MORE …] [--passes 20] [--samplers posterior oracle]

GRPO in plain PyTorch (plain_stack.py), about four minutes a training on one core. Every EVERY steps the known and the
learnable prompts are sampled SAMPLES times each, which is not counted. Figures as in samplers.py, a row a world:
`ratio`: rollouts until the mean pass@1 of these prompts first stands at 99 % of what `dynamic` ends with, over those
that `dynamic` takes to there; `oracle` goes by the last evaluation's pass rates. `lost`: learnable prompts below tau
at the end, each training having spent as many rollouts. `steps`: optimiser steps to there, `dynamic`'s first.
`least`: the ratio of a training with as many steps as `dynamic` whose every visit trains after the first episode, which
visits every row.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.plain_stack import BATCH, Plain
from benchmarks.plain_training import K, Policy, problems_of
from benchmarks.samplers import ORACLE, TAU, Oracle, first
from openrlhf_unlearn.collect.prompts import Prompt
from openrlhf_unlearn.filters import FilterConfig, load_filter
from openrlhf_unlearn.samplers import SamplerConfig, load_sampler
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.worlds import task

EVERY, SAMPLES = 2, 16


class Trained(Plain):
    """A training that looks at its pass rates as it goes. rates: (prompts,), of those that can be learned; moves: which
    these are; curve: after the steps that were looked at (rollouts, mean pass@1, learnable ones below tau, step)."""

    def __init__(self, world: Path, sampler: str, passes: int, seed: int, run: Path):
        self.problems = problems_of(world, 0.0, False)
        self.moves = np.array([p.cause in ("known", "learnable") for p in self.problems])
        self.rates, self.curve, self.rollouts = np.zeros(len(self.problems)), [], 0
        rows = [Prompt(str(i), p.prompt, p.label, "microworld") for i, p in enumerate(self.problems)]
        config = SamplerConfig([row.id for row in rows], K, seed)
        drawn = Oracle(config, self) if sampler == ORACLE else load_sampler(sampler, config)
        policy = Policy(world / "model", seed)
        super().__init__(
            policy, rows, load_filter("dynamic", FilterConfig(k=K, seed=seed)), drawn, passes, RunDir(run), False
        )
        self.look()

    def dispatch(self, visits, n_samples):
        self.rollouts += n_samples * len(visits)
        return super().dispatch(visits, n_samples)

    def stepped(self) -> None:
        if self.step % EVERY == 0:
            self.look()

    def look(self) -> None:
        rows = np.flatnonzero(self.moves)
        for part in np.array_split(rows, -(-len(rows) // 64)):
            problems = [self.problems[i] for i in part]
            texts = self.policy.texts(
                self.policy.sample([p.prompt for p in problems], SAMPLES), len(problems[0].prompt)
            )
            labels = np.repeat([p.label for p in problems], SAMPLES)
            right = [task.is_correct(text, label) for text, label in zip(texts, labels, strict=True)]
            self.rates[part] = np.reshape(right, (len(part), SAMPLES)).mean(axis=1)
        learnable = np.array([p.cause == "learnable" for p in self.problems])
        below = int((self.rates[learnable] < TAU).sum())
        self.curve.append((self.rollouts, float(self.rates[self.moves].mean()), below, self.step))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("worlds", type=Path, nargs="+")
    parser.add_argument("--passes", type=int, default=20, help="episodes")
    parser.add_argument("--samplers", nargs="+", default=["posterior", ORACLE])
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    args = parser.parse_args()

    found = []
    for world in args.worlds:
        curves = {}
        for sampler in ("uniform", *args.samplers):
            with tempfile.TemporaryDirectory() as run:
                training = Trained(world, sampler, args.passes, args.seed, Path(run))
                training.train()
                training.look()
            curves[sampler] = training.curve
        target = 0.99 * curves["uniform"][-1][1]
        rollouts, *_, steps = first(curves["uniform"], target)
        pass_, size = K * len(training.problems), K * BATCH
        trained = next(step for spent, *_, step in curves["uniform"] if spent >= pass_)
        row = {"world": str(world), "target": round(target, 4), "rollouts": rollouts}
        row["least"] = round((pass_ + size * max(0, steps - trained)) / rollouts, 3)
        for sampler, curve in curves.items():
            there = first(curve, target)
            row[sampler] = {"ratio": round(there[0] / rollouts, 3), "steps": there[3], "lost": curve[-1][2]}
        found.append(row)
        print(json.dumps(row), flush=True)
    ratios = {name: [row[name]["ratio"] for row in found] for name in args.samplers}
    print(json.dumps({"benchmark": "samplers_trained", "better": "lower", "passes": args.passes, **ratios}))


if __name__ == "__main__":
    main()
