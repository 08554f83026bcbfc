"""What `--unlearn.adaptive` saves: rollouts sampled in waves over rollouts of the fixed draw, by pass rate.

    python benchmarks/adaptive_sampling.py [--world DIR] [--spread-only]

The filter itself runs, on simulated rewards. `ratio` is over pass rates spread evenly on a log scale from 0.02 to 0.5,
all weighing the same. Then the built-in world's hard prompts (pass rate below 0.1) at the initial policy, with rewards
that its model earned. `least` is what a rule would use that looked after every single rollout: none that decides as the
fixed draw does can use less. Last, `give_up_below`, which does not decide as the fixed draw does: what it saves, the
groups that it loses, and those that it trains with a replayed positive instead of a fresh one.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter

BAR = 0.65
SPREAD = [0.02 * 25 ** (i / 9) for i in range(10)]  # 0.02 … 0.5
EASIER = [0.65, 0.8, 0.9, 0.95]
HARD = 0.1
GIVE_UP = [0.0, 0.1, 0.12, 0.15, 0.2]


@dataclass
class Cost:
    """What some visits took, how many groups trained, and in how many of these a positive was a replayed one."""

    visits: int = 0
    rollouts: int = 0
    waves: int = 0
    trained: int = 0
    replayed: int = 0
    least: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def simulate(config: FilterConfig, visits: Iterable[list[float]], prompt_id: str = "p") -> Cost:
    """Visit one prompt with each of `visits`: the rewards of all the rollouts that the fixed draw would sample."""
    mine, cost = OversampleReplayFilter(config), Cost()
    for rewards in visits:
        rollouts = tuple(map(Rollout, rewards))
        n, waves = mine.samples_per_wave, 1
        while more := mine.wants_more(Group(prompt_id, rollouts[:n])):
            n, waves = n + more, waves + 1
        decision = mine.decide(Group(prompt_id, rollouts[:n]))
        cost += Cost(1, n, waves, int(decision.accepted), int(decision.n_replayed > 0), least(config, rewards))
    return cost


def least(config: FilterConfig, rewards: list[float]) -> int:
    """Rollouts until it is settled whether the fixed draw fills its group, looking after each."""
    missing = {True: config.positives_per_group, False: config.k - config.positives_per_group}
    for n, reward in enumerate(rewards, start=1):
        missing[reward > 0.5] -= 1
        filled = max(missing.values()) <= 0
        if n >= config.k and (filled or missing[False] > len(rewards) - n):
            return n
    return len(rewards)


def coin(rate: float, n: int, visits: int, seed: int) -> list[list[float]]:
    rng = random.Random(f"{seed}:{rate}")
    return [[float(rng.random() < rate) for _ in range(n)] for _ in range(visits)]


def show_curve(config: FilterConfig, visits: int) -> float:
    """Print the saving by pass rate; returns the mean ratio over SPREAD."""
    total, ratios = config.oversample_factor * config.k, {}
    print(f"k = {config.k}, at most {total} rollouts a visit, {visits} visits at each pass rate")
    print("pass rate   adaptive / fixed   least possible   waves")
    for rate in tqdm([*SPREAD, *EASIER], desc="pass rates", leave=False):
        cost = simulate(config, coin(rate, total, visits, config.seed))
        ratios[rate] = cost.rollouts / total / visits
        bar = "#" * round(40 * ratios[rate])
        tqdm.write(
            f"{rate:9.3f}   {ratios[rate]:16.3f}   {cost.least / total / visits:14.3f}   "
            f"{cost.waves / visits:5.2f}  {bar}"
        )
    return sum(ratios[rate] for rate in SPREAD) / len(SPREAD)


def world_rewards(folder: Path, seed: int, visits: int, n: int) -> list[tuple[str, list[list[float]]]]:
    """(planted group, n rewards a visit) of each of the world's hard prompts, sampled from its initial model."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from openrlhf_unlearn.worlds.model import pass_rates
    from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts
    from openrlhf_unlearn.worlds.world import write_world

    world = write_world(folder, seed=seed)
    problems, _ = draw_prompts(SETTINGS[world["setting"]], world["seed"])
    problems = [problem for problem in problems if problem.group != "easy"]
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    rates = [pass_rates(model, tokenizer, problems, n, seed + visit) for visit in range(visits)]
    rng = random.Random(seed)
    found = []
    for problem, of_visits in zip(problems, zip(*rates, strict=True), strict=True):
        if sum(of_visits) / visits < HARD:
            found.append((problem.group, [in_random_order(round(rate * n), n, rng) for rate in of_visits]))
    return found


def in_random_order(positives: int, n: int, rng: random.Random) -> list[float]:
    """Rewards of n answers to one prompt, of which only the number of positives is known: any order is as likely."""
    return rng.sample([1.0] * positives + [0.0] * (n - positives), n)


def show_world(config: FilterConfig, prompts: list[tuple[str, list[list[float]]]]) -> dict:
    """Print and return what the world takes: with the decisions of the fixed draw, and with giving up."""
    total = config.oversample_factor * config.k
    groups = sorted({group for group, _ in prompts})
    fixed, summary = None, {}
    print(f"\nThe built-in world at the initial policy: {len(prompts)} hard prompts, {len(prompts[0][1])} visits each")
    print("give up below   adaptive / fixed   groups that train   with fresh positives   " + "   ".join(groups))
    for bound in GIVE_UP:
        costs = dict.fromkeys(groups, Cost())
        for group, visits in prompts:
            costs[group] += simulate(replace(config, give_up_below=bound), visits)
        everything = sum(costs.values(), Cost())
        fixed = fixed or everything  # without giving up, the decisions are the fixed draw's
        by_group = {name: round(cost.rollouts / total / cost.visits, 3) for name, cost in costs.items()}
        row = summary[bound] = {
            "ratio": round(everything.rollouts / total / everything.visits, 3),
            "trained": round(everything.trained / fixed.trained, 3),
            "fresh": round((everything.trained - everything.replayed) / (fixed.trained - fixed.replayed), 3),
            "by_group": by_group,
        }
        cells = "   ".join(f"{by_group[name]:{len(name)}.3f}" for name in groups)
        print(f"{bound:13.2f}   {row['ratio']:16.3f}   {row['trained']:17.3f}   {row['fresh']:20.3f}   {cells}")
    least_possible = round(fixed.least / total / fixed.visits, 3)
    print(f"least possible with the fixed draw's decisions: {least_possible:.3f}")
    exact = summary.pop(0.0)
    return {
        "world_ratio": exact["ratio"],
        "world_reaches_bar": exact["ratio"] <= BAR,
        "world_least_possible": least_possible,
        "world_by_group": exact["by_group"],
        "world_giving_up": {str(bound): row for bound, row in summary.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--k", type=int, default=8, help="rollouts that train per prompt")
    parser.add_argument("--factor", type=int, default=4, help="the fixed draw samples factor x k")
    parser.add_argument("--visits", type=int, default=3000, help="simulated visits at each pass rate")
    parser.add_argument("--world-visits", type=int, default=12, help="visits to each prompt of the world")
    parser.add_argument("--world", type=Path, help="the built-in world, made there if missing; default: a scratch one")
    parser.add_argument("--spread-only", action="store_true", help="leave the world out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    config = FilterConfig(k=args.k, seed=args.seed, oversample_factor=args.factor, adaptive=True)
    result = {
        "benchmark": "adaptive_sampling",
        "ratio": round(show_curve(config, args.visits), 3),
        "bar": BAR,
        "better": "lower",
    }
    if not args.spread_only:
        with tempfile.TemporaryDirectory() as scratch:
            folder = args.world or Path(scratch) / "world"
            rewards = world_rewards(folder, args.seed, args.world_visits, args.factor * args.k)
        result |= show_world(config, rewards)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
