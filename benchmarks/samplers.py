"""What `--unlearn.sampler posterior` saves: rollouts to the pass@1 that `dynamic` with the uniform order reaches.

    python benchmarks/samplers.py [--shared 0] [--sampler examples/my_sampler.py:NearHalf]

Collector, filter and sampler are the real ones; the learner is simulated. A prompt's pass rate is the logistic of a
number. A group that trains raises its prompt's number by the spread of the group's rewards (the size of GRPO's
normalised gradient), and the numbers of all prompts of its skill by `--shared` of that. At every step all numbers
wander, so that prompts can be forgotten. Prompts are planted as easy, learnable (one method in 24), unlearnable (the
same rate, and no step moves it) and never rewarded.

`ratio`: rollouts until the mean pass@1 of easy and learnable prompts first stands at 99 % of what `dynamic` ends with,
over the rollouts that `dynamic` itself takes to there; median over worlds, with the worlds' quartiles. `oracle`: the
same of a sampler that is told every pass rate and who can be learned, under the same floor.
`lost`: learnable prompts below tau = 0.1 when as many rollouts are spent as `dynamic` spends, over all worlds.
`step_ms`: what the sampler itself takes of a step of 256 visits among 36,000 prompts in the third pass, median.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

os.environ["TQDM_DISABLE"] = "1"  # the collector's bar of every step

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.collect.collector import Collector, Sizes
from openrlhf_unlearn.collect.judgement import Judgement
from openrlhf_unlearn.collect.prompts import Prompt, PromptStream
from openrlhf_unlearn.collect.tracker import Tracker
from openrlhf_unlearn.filters import FilterConfig, load_filter
from openrlhf_unlearn.samplers import Sampler, SamplerConfig, load_sampler
from openrlhf_unlearn.samplers.posterior import chance_of_both
from openrlhf_unlearn.store.run_dir import RunDir

BAR = 0.5
TAU = 0.1
K = 8
GROUPS = ("easy", "learnable", "unlearnable", "no_reward")
OWN, SHARED, WANDER = 0.6, 0.08, 0.03  # what a trained group adds to its prompt and to its skill's; noise a step
SKILLS = 12
ORACLE = "oracle"


@dataclass
class World:
    """Planted prompts: `group` (prompts,), their `number` (its logistic is the pass rate), their `skill`."""

    group: np.ndarray
    number: np.ndarray
    skill: np.ndarray
    shared: float
    rng: np.random.Generator

    @property
    def rates(self) -> np.ndarray:
        return np.where(self.group == "no_reward", 0.0, 1 / (1 + np.exp(-self.number)))

    @property
    def moves(self) -> np.ndarray:
        return np.isin(self.group, ("easy", "learnable"))

    def train(self, trained: list[tuple[int, float]]) -> None:
        """One step: (prompt, share of positives in its group) of each group."""
        for prompt, share in trained:
            if self.moves[prompt]:
                spread = np.sqrt(share * (1 - share))
                self.number[prompt] += OWN * spread
                self.number[self.moves & (self.skill == self.skill[prompt])] += self.shared * spread
        self.number[self.moves] += WANDER * self.rng.standard_normal(self.moves.sum())


def draw_world(prompts: int, shares: list[float], shared: float, seed: int) -> World:
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(GROUPS, np.round(np.array(shares) * prompts).astype(int)))
    rates = np.where(group == "easy", rng.uniform(0.2, 0.7, len(group)), 1 / 24)
    return World(group, np.log(rates / (1 - rates)), rng.integers(0, SKILLS, len(group)), shared, rng)


class Silent(Tracker):
    """Keeps no rows: nobody reads them here, and they would take most of the time."""

    def observe(self, sampled, accepted, reason) -> None:
        pass


class Oracle(Sampler):
    """Visits those that can be learned, by the chance that their group has both, in full from a rate of a quarter."""

    def __init__(self, config: SamplerConfig, world: World):
        super().__init__(config)
        self.world, self.draws = world, np.random.default_rng(config.seed)

    def wants(self, prompt_id: str) -> bool:
        prompt = int(prompt_id)
        both = chance_of_both(float(self.world.rates[prompt]), K) / chance_of_both(0.25, K)
        return bool(self.world.moves[prompt] and self.draws.random() < both)


class Simulated(Collector):
    """Engines that answer at once, by the world's rates."""

    def __init__(self, world: World, sampler: str, passes: int, batch: int, run: Path, seed: int):
        rows = [Prompt(str(i), "", "", "") for i in range(len(world.group))]
        config = SamplerConfig([row.id for row in rows], K, seed)
        drawn = Oracle(config, world) if sampler == ORACLE else load_sampler(sampler, config)
        stream = PromptStream(rows, drawn, passes)
        sizes = Sizes(batch, batch, 1, 10**9)
        super().__init__(sizes, stream, load_filter("dynamic", FilterConfig(k=K, seed=seed)), Silent(RunDir(run)))
        self.world, self.rollouts = world, 0

    def dispatch(self, visits, n_samples):
        self.rollouts += n_samples * len(visits)
        return {id(visit): visit for visit in visits}

    def ready(self, pending):
        return list(pending)[:1]

    def receive(self, handle, visit):
        rewards = self.world.rng.random(K) < self.world.rates[int(visit.prompt.id)]
        visit.judgements += [Judgement(float(r), None, bool(r), "correct" if r else "wrong", {}) for r in rewards]
        visit.payloads += [None] * K

    def curve(self) -> list[tuple[int, float, int]]:
        """After each step: rollouts sampled, mean pass@1 of those that can be learned, learnable ones below tau."""
        found = []
        for _ in range(self.stream.episodes):
            while True:
                groups, _ = self.next_groups()
                if groups:
                    self.step += 1
                    self.world.train([(int(g.prompt_id), np.mean([r.positive for r in g.rollouts])) for g in groups])
                    rates = self.world.rates
                    below = int((rates[self.world.group == "learnable"] < TAU).sum())
                    found.append((self.rollouts, float(rates[self.world.moves].mean()), below))
                if self.episode_over:
                    break
        return found


def first(curve: list[tuple], target: float) -> tuple:
    """The first row of a curve (rollouts, rate, …) that stands at the target; of infinities if none does."""
    return next((row for row in curve if row[1] >= target), (np.inf,) * len(curve[0]))


def spent(curve: list[tuple], target: float) -> float:
    """Rollouts until the curve first stands at the target."""
    return float(first(curve, target)[0])


def step_ms(name: str, rows: int = 36_000, visits: int = 256, steps: int = 50) -> float:
    """Milliseconds of the sampler's own work a step, after two passes over its prompts."""
    rng = np.random.default_rng(0)
    sampler = load_sampler(name, SamplerConfig([f"{row:016x}" for row in range(rows)], K))
    hits = rng.binomial(K, rng.beta(0.3, 0.7, rows))
    spent = []
    while sampler.passes < 2 or len(spent) < steps:
        started = time.perf_counter()
        for row in sampler.take(visits):
            sampler.observe(sampler.config.prompts[row], int(hits[row]), K)
        spent = [*spent, time.perf_counter() - started] if sampler.passes >= 2 else []
    return 1000 * float(np.median(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=640)
    shares = [0.25, 0.3, 0.3, 0.15]
    parser.add_argument("--shares", type=float, nargs=4, default=shares, help="of " + ", ".join(GROUPS))
    parser.add_argument("--shared", type=float, default=SHARED, help="what prompts of one skill teach each other")
    parser.add_argument("--passes", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--sampler", default="posterior")
    args = parser.parse_args()

    ratios: dict[str, list[float]] = {args.sampler: [], ORACLE: []}
    lost = {"uniform": 0, **dict.fromkeys(ratios, 0)}
    with tempfile.TemporaryDirectory() as run:
        for seed in range(args.worlds):
            curves = {
                sampler: Simulated(
                    draw_world(args.prompts, args.shares, args.shared, seed),
                    sampler,
                    args.passes,
                    args.batch,
                    Path(run),
                    seed,
                ).curve()
                for sampler in lost
            }
            target = 0.99 * curves["uniform"][-1][1]
            for sampler, found in ratios.items():
                found.append(spent(curves[sampler], target) / spent(curves["uniform"], target))
            for sampler, curve in curves.items():
                lost[sampler] += [below for rollouts, _, below in curve if rollouts <= curves["uniform"][-1][0]][-1]
            of = f"{spent(curves['uniform'], target):.0f} rollouts to {target:.3f}"
            print(f"world {seed}: {ratios[args.sampler][-1]:.3f} of {of}", flush=True)
    low, middle, high = np.quantile(ratios[args.sampler], [0.25, 0.5, 0.75])
    result = {"benchmark": "samplers", "ratio": round(float(middle), 3), "bar": BAR, "better": "lower"}
    result |= {"quartiles": [round(float(low), 3), round(float(high), 3)], "lost": lost}
    result |= {"oracle": round(float(np.median(ratios[ORACLE])), 3)}
    print(json.dumps({**result, "step_ms": round(step_ms(args.sampler), 1)}))


if __name__ == "__main__":
    main()
