"""How well causes are found: planted against found, wrong labels by their share, calibration.

    python benchmarks/diagnose.py [--worlds FOLDER] [--simulated 60]

On trained built-in worlds 3 to 9 under FOLDER where they are there, and always on simulated runs of seeds that nothing
was fitted on (benchmarks/fit_causes.py). Each with one model and with a second one. Bars: of planted wrong labels on
rules that can be learned at least 90 % found at a precision of at least 90 %, whether 5, 10 or 20 % are wrong, at
random or by a rule; verifier faults at least 95 %; at most 5 % of the correct labels of these prompts called wrong;
expected calibration error of the stated cause at most 0.05.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.planted import FIT_WORLDS, WRONG, Planted, simulated, trained
from openrlhf_unlearn.causes import CAUSES, UNDECIDED
from openrlhf_unlearn.causes.posterior import posterior
from openrlhf_unlearn.causes.words import decided

FIRST_SEED = 10_000  # of simulated runs; those before are for fitting
BARS = {"wrong_found": 0.9, "wrong_precision": 0.9, "verifier_found": 0.95, "correct_called_wrong": 0.05, "ece": 0.05}
CONFUSED = {"beyond", "random_label"}


def ece(probability: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: the mean gap of stated and true share of right ones, over bins of equal width."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [abs(probability[place == b].mean() - right[place == b].mean()) * (place == b).sum() for b in set(place)]
    return float(sum(gaps) / len(place))


def judged(runs: list[Planted]) -> dict:
    """Every figure of these runs together."""
    table: Counter = Counter()
    stated, right = [], []
    for run in runs:
        p = posterior(run.observed).probability
        found = decided(p)
        table.update(zip(run.cause.tolist(), found.tolist(), strict=True))
        known = run.cause != ""
        stated += p.max(axis=1)[known].tolist()
        right += (np.array(CAUSES)[p.argmax(axis=1)] == run.cause)[known].tolist()
    planted, called = defaultdict(int), defaultdict(int)
    for (cause, found), n in table.items():
        planted[cause] += n
        called[found] += n
    correct = sum(planted.values()) - planted["wrong_label"]
    both = sum(n for (cause, found), n in table.items() if cause in CONFUSED and found == UNDECIDED)
    return {
        "prompts": sum(planted.values()),
        "wrong_found": _ratio(table["wrong_label", "wrong_label"], planted["wrong_label"]),
        "wrong_precision": _ratio(table["wrong_label", "wrong_label"], called["wrong_label"]),
        "verifier_found": _ratio(table["verifier", "verifier"], planted["verifier"]),
        "correct_called_wrong": _ratio(called["wrong_label"] - table["wrong_label", "wrong_label"], correct),
        "ece": round(ece(np.array(stated), np.array(right)), 4),
        "undecided_of_beyond_and_random": _ratio(both, sum(planted[cause] for cause in CONFUSED)),
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
    held = [run for run in real if run.world not in FIT_WORLDS]
    parts: dict[str, list[Planted]] = {}
    for number, with_second in (("one model", False), ("two models", True)):
        parts[f"trained worlds 3 to 9, {number}"] = [run for run in held if run.has_second == with_second]
        parts[f"trained worlds 0 to 2 (fitted on), {number}"] = [
            run for run in real if run.world in FIT_WORLDS and run.has_second == with_second
        ]
        parts[f"simulated, {number}"] = [simulated(seed, with_second) for seed in seeds]
        for i, share in enumerate(WRONG):
            for j, how in enumerate(("at random", "by a rule")):
                chosen = [simulated(seed, with_second) for seed in seeds if seed % 3 == i and seed % 2 == j]
                parts[f"simulated, {share:.0%} wrong {how}, {number}"] = chosen
    results = {title: judged(runs) for title, runs in parts.items() if runs}
    for title, figures in results.items():
        show(title, figures)
    print(json.dumps({"benchmark": "diagnose", "bars": BARS, "results": results,
                      "reached": {title: reached(figures) for title, figures in results.items()}}))  # fmt: skip


if __name__ == "__main__":
    main()
