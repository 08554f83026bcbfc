"""Fits what `diagnose` knows of causes, P(bin | cause) and exponents, into openrlhf_unlearn/causes/likelihoods.json.

    python benchmarks/fit_causes.py [--worlds FOLDER] [--simulated 240] [--write]

From prompts whose cause was planted: trained worlds 0, 1 and 2 in FOLDER where they are there (benchmarks/diagnose.py
says how they are found), and simulated runs, which hold causes that the built-in world does not plant. Tables are
counted on the one half of the runs, exponents are those under which the other half's causes are likeliest. Without
--write it only says what it would write, and how well that fits. benchmarks/diagnose.py judges it on other worlds and
other seeds.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.planted import FIT_WORLDS, Planted, simulated, trained
from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.causes.evidence import EVIDENCE, values
from openrlhf_unlearn.causes.evidence import counted as samples_of
from openrlhf_unlearn.causes.nulls import impossible
from openrlhf_unlearn.causes.posterior import FILE, Likelihoods, with_own_shares
from openrlhf_unlearn.store.run_dir import write_json

ALIKE = [CAUSES.index(cause) for cause in ("beyond", "random_label")]  # to all evidence but a second model's
PSEUDO = 1.0  # prompts in each bin of each cause before any was counted
SEEDS = range(0, 10_000)  # of simulated runs; benchmarks/diagnose.py and the tests take later ones


def bins_of(planted: Planted) -> dict[str, np.ndarray]:
    found = values(planted.observed)
    return {name: kind.bin(found[name]) for name, kind in EVIDENCE.items()}


def numbers_of(planted: Planted) -> np.ndarray:
    """The planted causes as numbers, -1 where none was planted."""
    return np.array([CAUSES.index(cause) if cause else -1 for cause in planted.cause])


def counted(runs: list[Planted]) -> dict[str, np.ndarray]:
    """kind → (causes, bins) shares; a trained run's prompts count as often as `weight` says."""
    table = {name: np.full((len(CAUSES), kind.bins), PSEUDO) for name, kind in EVIDENCE.items()}
    for run in runs:
        cause = numbers_of(run)
        for name, mine in bins_of(run).items():
            there = (mine >= 0) & (cause >= 0)
            np.add.at(table[name], (cause[there], mine[there]), run.weight)
    for name, counts in table.items():
        if name != "second":
            counts[ALIKE] = counts[ALIKE].sum(axis=0)
    return {name: counts / counts.sum(axis=1, keepdims=True) for name, counts in table.items()}


def exponents(runs: list[Planted], table: dict[str, np.ndarray], prior: np.ndarray) -> dict[str, float]:
    """One a kind of evidence, from 0 to 1: under which the planted causes of these runs are likeliest."""
    whole = Likelihoods(prior, table, dict.fromkeys(EVIDENCE, 1.0))
    logs = [whole.log_factors(bins_of(run)) for run in runs]
    stacked = [np.stack([log[name] for name in EVIDENCE]) for log in logs]
    may = [np.where(impossible(*samples_of(run.observed)), -np.inf, 0.0) for run in runs]
    truth = [numbers_of(run) for run in runs]

    def cost(exponent: np.ndarray) -> float:
        total = 0.0
        for run, log, allowed, cause in zip(runs, stacked, may, truth, strict=True):
            p = with_own_shares(np.tensordot(exponent, log, 1) + allowed, prior, iterations=20)[cause >= 0]
            total -= run.weight * np.log(p[np.arange(len(p)), cause[cause >= 0]] + 1e-9).sum()
        return total

    start = np.full(len(EVIDENCE), 0.7)
    found = minimize(cost, start, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(start), options={"maxiter": 40})
    return dict(zip(EVIDENCE, map(float, found.x), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worlds", type=Path, help="folder with trained worlds")
    parser.add_argument("--simulated", type=int, default=240, help="simulated runs")
    parser.add_argument("--write", action="store_true", help="write likelihoods.json")
    args = parser.parse_args()
    real = [run for run in trained(args.worlds) if run.world in FIT_WORLDS]
    runs = real + [simulated(seed) for seed in SEEDS[: args.simulated]]
    shares = [np.bincount(1 + numbers_of(run), minlength=1 + len(CAUSES))[1:] + 0.1 for run in runs]
    prior = np.mean([share / share.sum() for share in shares], axis=0)
    prior[ALIKE] = prior[ALIKE].mean()
    odd, even = runs[1::2], runs[::2]
    exponent = exponents(even, counted(odd), prior)
    table = counted(runs)
    about = f"{len(real)} trained runs of worlds {sorted({r.world for r in real})}, {args.simulated} simulated runs"
    print(about, {name: round(value, 2) for name, value in exponent.items()}, sep="\n")
    if args.write:
        write_json(
            FILE,
            {
                "about": about,
                "prior": dict(zip(CAUSES, np.round(prior, 4).tolist(), strict=True)),
                "exponent": {name: round(value, 3) for name, value in exponent.items()},
                "table": {
                    name: {cause: np.round(row, 5).tolist() for cause, row in zip(CAUSES, rows, strict=True)}
                    for name, rows in table.items()
                },
            },
        )
        print(f"written: {FILE}")


if __name__ == "__main__":
    main()
