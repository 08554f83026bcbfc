"""How well causes are found: planted against found, wrong labels by their share, calibration.

    python benchmarks/diagnose.py [--worlds FOLDER] [--simulated 60]

On trained built-in worlds 3 to 9 under FOLDER where they are there, and always on simulated runs of seeds that nothing
was fitted on (benchmarks/fit_causes.py): as they are, with as much mess as any fitted and with more, and with other
shares of the causes than the fitted. Each with one model and with a second one. Bars: of planted wrong labels on rules
that can be learned at least 90 % found at a precision of at least 90 %, whether 5, 10 or 20 % are wrong, at random or
by a rule; verifier faults at least 95 %; at most 5 % of the correct labels of these prompts called wrong; expected
calibration error of the stated cause at most 0.05. Beside it the same with `beyond` and `random_label` as one cause
where there is no second model, without which nothing tells them apart: between them the posterior is one half each,
whatever their shares are; and the error that so many prompts would have by chance if every probability were true.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.planted import FIRST_SEED, FIT_WORLDS, HELD_OUT, WRONG, Planted, simulated, trained
from openrlhf_unlearn.causes import ALIKE, CAUSES, UNDECIDED
from openrlhf_unlearn.causes.nulls import contradicted
from openrlhf_unlearn.causes.posterior import posterior
from openrlhf_unlearn.causes.words import decided

BARS = {"wrong_found": 0.9, "wrong_precision": 0.9, "verifier_found": 0.95, "correct_called_wrong": 0.05, "ece": 0.05}


def ece(probability: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: the mean gap of stated and true share of right ones, over bins of equal width."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [abs(probability[place == b].mean() - right[place == b].mean()) * (place == b).sum() for b in set(place)]
    return float(sum(gaps) / len(place))


def by_chance(probability: np.ndarray, draws: int = 20) -> float:
    """The mean error of so many prompts, each right on its own as often as stated."""
    rng = np.random.default_rng(0)
    return float(np.mean([ece(probability, rng.random(len(probability)) < probability) for _ in range(draws)]))


def alike_as_one(p: np.ndarray) -> np.ndarray:
    """The posterior with the two causes that one model cannot tell apart as one."""
    first, other = (CAUSES.index(cause) for cause in ALIKE)
    p = p.copy()
    p[:, first], p[:, other] = p[:, first] + p[:, other], 0.0
    return p


def judged(runs: list[Planted]) -> dict:
    """Every figure of these runs together."""
    table: Counter = Counter()
    stated, right, told, told_right = [], [], [], []
    for run in runs:
        made = posterior(run.observed)
        p, found = made.probability, decided(made.probability, contradicted(made.values))
        table.update(zip(run.cause.tolist(), found.tolist(), strict=True))
        known = run.cause != ""
        stated += p.max(axis=1)[known].tolist()
        right += (np.array(CAUSES)[p.argmax(axis=1)] == run.cause)[known].tolist()
        if not run.has_second:
            p = alike_as_one(p)
        told += p.max(axis=1)[known].tolist()
        best = np.array(CAUSES)[p.argmax(axis=1)]
        both = ~run.has_second & np.isin(best, ALIKE) & np.isin(run.cause, ALIKE)
        told_right += ((best == run.cause) | both)[known].tolist()
    planted, called = defaultdict(int), defaultdict(int)
    for (cause, found), n in table.items():
        planted[cause] += n
        called[found] += n
    correct = sum(planted.values()) - planted["wrong_label"]
    both = sum(n for (cause, found), n in table.items() if cause in ALIKE and found == UNDECIDED)
    return {
        "prompts": sum(planted.values()),
        "wrong_found": _ratio(table["wrong_label", "wrong_label"], planted["wrong_label"]),
        "wrong_precision": _ratio(table["wrong_label", "wrong_label"], called["wrong_label"]),
        "verifier_found": _ratio(table["verifier", "verifier"], planted["verifier"]),
        "correct_called_wrong": _ratio(called["wrong_label"] - table["wrong_label", "wrong_label"], correct),
        "ece": round(ece(np.array(stated), np.array(right)), 4),
        "ece_alike_as_one": round(ece(np.array(told), np.array(told_right)), 4),
        "ece_by_chance": round(by_chance(np.array(stated)), 4),
        "undecided_of_beyond_and_random": _ratio(both, sum(planted[cause] for cause in ALIKE)),
        "table": table,
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def show(title: str, figures: dict) -> None:
    table = figures.pop("table")
    columns = [c for c in (*CAUSES, UNDECIDED) if any(found == c for _, found in table)]
    print(f"\n{title}: {figures}")
    print(f"{'planted / found':<16}" + "".join(f"{column[:12]:>13}" for column in columns))
    for cause in (*CAUSES, ""):
        if any(planted == cause for planted, _ in table):
            print(f"{cause or '(none planted)':<16}" + "".join(f"{table[cause, column]:>13}" for column in columns))


def reached(figures: dict) -> bool:
    found = {name: figures[name] for name in BARS if figures[name] is not None}
    low = ("correct_called_wrong", "ece")
    return all(value <= BARS[name] if name in low else value >= BARS[name] for name, value in found.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worlds", type=Path, help="folder with trained worlds")
    parser.add_argument("--simulated", type=int, default=60, help="simulated runs")
    args = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + args.simulated)
    real = list(trained(args.worlds))
    made = {title: [simulated(seed, title) for seed in seeds] for title in HELD_OUT}
    for i, wrong in enumerate(WRONG):
        for j, how in enumerate(("at random", "by a rule")):
            of_these = zip(seeds, made["simulated"], strict=True)
            made[f"simulated, {wrong:.0%} wrong {how}"] = [run for n, run in of_these if (n % 3, n % 2) == (i, j)]
    parts: dict[str, list[Planted]] = {}
    for number, with_second in (("one model", False), ("two models", True)):
        for title, fitted_on in (("3 to 9", False), ("0 to 2 (fitted on)", True)):
            parts[f"trained worlds {title}, {number}"] = [
                run for run in real if run.has_second == with_second and (run.world in FIT_WORLDS) == fitted_on
            ]
        for title, runs in made.items():
            parts[f"{title}, {number}"] = runs if with_second else [run.alone for run in runs]
    results = {title: judged(runs) for title, runs in parts.items() if runs}
    for title, figures in results.items():
        show(title, figures)
    print(json.dumps({"benchmark": "diagnose", "bars": BARS, "results": results,
                      "reached": {title: reached(figures) for title, figures in results.items()}}))  # fmt: skip


if __name__ == "__main__":
    main()
