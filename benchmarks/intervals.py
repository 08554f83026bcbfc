"""Do the report's intervals hold? Bias and coverage over grids wider than the tests', with nothing to be given.

    python benchmarks/intervals.py [--times 100]

Known truth, simulated: means of pass rates, areas under the ROC curve, differences of areas on the same prompts, and
the groups' cosines, the last beside what one ratio of noise to signal for a whole group gives. The ratio is the lowest
coverage of any 95 % interval of the product's.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the simulations are the tests'

from openrlhf_unlearn.probe.measures.between_rollouts import of_one_rollout, reliability
from openrlhf_unlearn.probe.measures.pooled import Agreement, Pooled
from openrlhf_unlearn.stats.auc import area_difference, auc_with_interval, placements
from openrlhf_unlearn.stats.means import rate_interval
from tests.probe.measures.simulation import alike
from tests.probe.measures.test_pooled import DIM, NOISES, NUMBERS, TAILS, simulated
from tests.stats.test_intervals import RATES, SCORES

BAR = 0.90


def row(what: str, values: list[float], held: list[bool], truth: float, beside: str = "") -> float:
    print(f"{what:<58} bias {np.mean(values) - truth:+.3f}  coverage {np.mean(held):.2f}  {beside}", flush=True)
    return float(np.mean(held))


def rates(times: int):
    for name, (draw, truth) in RATES.items():
        for n in (5, 10, 30, 100, 300):
            rng = np.random.default_rng(n)
            found = [rate_interval(draw(rng, n)) for _ in range(times)]
            held = [low <= truth <= high for _, (low, high) in found]
            yield row(f"mean of {n} pass rates, {name}", [mean for mean, _ in found], held, truth)


def areas(times: int):
    for name, (one, two, truth) in SCORES.items():
        for sizes in ((6, 6), (10, 60), (60, 10), (60, 60), (300, 300)):
            rng = np.random.default_rng(sum(sizes))
            found = [auc_with_interval(one(rng, sizes[0]), two(rng, sizes[1])) for _ in range(times)]
            held = [f["low"] <= truth <= f["high"] for f in found]
            yield row(f"area, {name}, {sizes[0]} and {sizes[1]} prompts", [f["auc"] for f in found], held, truth)


def differences(times: int):
    for alike_by in (0, 0.5, 0.9, 0.99):
        for sizes in ((12, 12), (15, 60), (60, 60)):
            rng, labels, found = np.random.default_rng(0), np.arange(sum(sizes)) >= sizes[0], []
            for _ in range(times):
                scores = rng.multivariate_normal([1, 1], [[1, alike_by], [alike_by, 1]], len(labels)) * 1.0
                scores[~labels] -= 1
                found.append(area_difference(*(placements(s[~labels], s[labels]) for s in scores.T)))
            held = [f["low"] <= 0 <= f["high"] for f in found]
            yield row(f"difference of areas, correlated {alike_by}, {sizes}", [f["difference"] for f in found], held, 0)


def cosines(times: int, truth: float = 0.3, prompts: int = 60):
    for tail in TAILS:
        for number in NUMBERS:
            for noise in NOISES:
                rng, values, held, single = np.random.default_rng(0), [], [], []
                for _ in range(times):
                    drawn = (
                        NUMBERS[number](rng, prompts),
                        NOISES[noise](rng, prompts),
                        np.exp(rng.normal(0, 1, prompts)),
                    )
                    gradients = simulated(rng, alike(prompts, DIM, truth), *drawn, tail)
                    found = Pooled(gradients, [""] * prompts).to_all["all"]
                    single.append(one_ratio(gradients))
                    if found["corrected"] is not None:
                        values.append(found["corrected"])
                        held.append(found["low"] <= truth <= found["high"])
                beside = f"one ratio a group: bias {np.mean(single) - truth:+.3f}; silent {1 - len(held) / times:.0%}"
                yield row(f"group cosine, rollouts {number}, noise {noise}, tails {tail}", values, held, truth, beside)


def one_ratio(gradients) -> float:
    """The mean cosine where every prompt of the group is taken to be as noisy as the others, rollout by rollout."""
    every = np.ones(len(gradients.ids), bool)
    rollout = of_one_rollout(Agreement(gradients), every)
    units = gradients.mean / np.linalg.norm(gradients.mean, axis=1, keepdims=True)
    scaled = units / np.sqrt(reliability(rollout, gradients.n))[:, None]
    total = scaled.sum(0)
    return float((total @ total - (scaled**2).sum()) / (len(units) * (len(units) - 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="simulations of each case")
    times = parser.parse_args().times
    found = [c for part in (rates, areas, differences) for c in part(times)]
    found += list(cosines(times))
    print(json.dumps({"benchmark": "intervals", "ratio": min(found), "bar": BAR, "better": "higher"}))


if __name__ == "__main__":
    main()
