"""Which families of tasks to train on: `python examples/real_families.py RUN --keep 8` prints their names.

By an evaluation `initial` of a few prompts of each family: families are sorted by their mean pass rate, and of the
sorted list as many are kept as wanted, evenly spaced, first and last among them. So what the model can do,
can hardly do and never does all occur, whatever the model. Families that it solves four times in five are left out
first: nothing is left to learn in them.
"""

import argparse
import sys
from collections import defaultdict

import numpy as np

from openrlhf_unlearn.store.run_dir import RunDir, read_table

SOLVED = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--keep", type=int, default=8)
    args = parser.parse_args()
    rates = family_rates(RunDir.open(args.run))
    for name, rate in sorted(rates.items(), key=lambda item: item[1]):
        print(f"{name:<12} {rate:.3f}", file=sys.stderr)
    print("\n".join(evenly(rates, args.keep)))


def family_rates(run: RunDir) -> dict[str, float]:
    """By datasource, the share of correct answers in the evaluation `initial`."""
    prompts = read_table(run.prompts, ["prompt_id", "datasource"]).to_pydict()
    family = dict(zip(prompts["prompt_id"], prompts["datasource"], strict=True))
    found = defaultdict(list)
    for row in read_table(run.evaluation("initial"), ["prompt_id", "reward"]).to_pylist():
        found[family[row["prompt_id"]]].append(row["reward"])
    return {name: float(np.mean(rewards)) for name, rewards in found.items()}


def evenly(rates: dict[str, float], keep: int) -> list[str]:
    """`keep` names, evenly spaced in the order of their rates; all that are not solved, if there are no more."""
    names = sorted((name for name in rates if rates[name] <= SOLVED), key=lambda name: (rates[name], name))
    places = np.linspace(0, len(names) - 1, min(keep, len(names)))
    return [names[round(place)] for place in places]


if __name__ == "__main__":
    main()
