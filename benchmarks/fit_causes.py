"""Fits what `diagnose` knows of causes, how much each bin of evidence speaks for each, into likelihoods.json.

    python benchmarks/fit_causes.py [--worlds FOLDER] [--simulated 240] [--write]

From prompts whose cause was planted: trained worlds 0, 1 and 2 in FOLDER where they are there (benchmarks/planted.py
says how they are found), and simulated runs, which hold causes that the built-in world does not plant; the few trained
ones weigh TRAINED times as much in all as the simulated, the most of 0, 0.1, 0.3 and 1 at which one model's wrong
labels keep a precision of 0.9 on simulated seeds 5000 to 5014. A multinomial logistic regression with one weight for
each bin and cause. Unlike shares that are counted kind by kind it does not count twice what two kinds of evidence say
together (the majority's share, its growth, a second model that agrees). Each run's own shares of the causes are
offsets, those that `diagnose` would give it by the weights so far, in a few rounds. Without --write it only says how
well that fits. benchmarks/diagnose.py judges it on other worlds, other seeds, other shares and more mess.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.planted import FIT_WORLDS, Planted, simulated_to_fit, trained
from openrlhf_unlearn.causes import ALIKE, CAUSES
from openrlhf_unlearn.causes.evidence import EVIDENCE, counted, values
from openrlhf_unlearn.causes.nulls import impossible
from openrlhf_unlearn.causes.posterior import FILE, columns, run_shares, with_own_shares
from openrlhf_unlearn.store.run_dir import write_json

BOTH = [CAUSES.index(cause) for cause in ALIKE]
RIDGE, ROUNDS = 1.0, 3
TRAINED = 0.3
SIZES = {name: kind.bins + 1 for name, kind in EVIDENCE.items()}
STARTS = dict(zip(SIZES, np.cumsum([0, *SIZES.values()])[:-1].tolist(), strict=True))
WIDTH = sum(SIZES.values())
SILENT = STARTS["second"] + SIZES["second"] - 1  # a second model that fails and is not known to be able says nothing
TIED = ~np.isin(np.arange(WIDTH), STARTS["second"] + np.arange(SIZES["second"]))


class Case:
    """One planted run as the regression sees it: a column of its own for each bin of each kind of evidence."""

    def __init__(self, run: Planted):
        found = columns(values(run.observed))
        size, weight = run.observed.size, run.weight
        row = np.tile(np.arange(size), len(found))
        column = np.concatenate([STARTS[name] + place for name, place in found.items()])
        self.x = sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(size, WIDTH))
        self.may = np.where(impossible(*counted(run.observed)), -np.inf, 0.0)
        self.cause = np.array([CAUSES.index(cause) if cause else -1 for cause in run.cause])
        possible = self.may[np.arange(size), self.cause] == 0  # else its own samples rule out what was planted
        self.known, self.weight = (self.cause >= 0) & possible, np.full(size, weight)
        counts = np.bincount(self.cause[self.cause >= 0], minlength=len(CAUSES)) + 0.1
        counts[BOTH] = counts[BOTH].mean()
        self.planted = counts / counts.sum()

    def shares(self, weights: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """The causes' shares that a diagnosis by these weights gives this run."""
        return run_shares(with_own_shares(self.x @ weights + self.may, prior), prior)


def tied(table: np.ndarray) -> np.ndarray:
    """(columns, causes): what no evidence but a second model's tells apart gets the mean of both, SILENT nothing."""
    table[SILENT] = 0.0
    both = table[:, BOTH]
    table[:, BOTH] = np.where(TIED[:, None], both.mean(axis=1, keepdims=True), both)
    return table


def regression(cases: list[Case], shares: list[np.ndarray], start: np.ndarray) -> tuple[np.ndarray, float]:
    """(weights, log loss of a prompt); a ridge holds the weights of what was hardly seen near 0."""
    x = sparse.vstack([case.x[case.known] for case in cases]).tocsr()
    offset = np.concatenate([(case.may + np.log(mine))[case.known] for case, mine in zip(cases, shares, strict=True)])
    weight = np.concatenate([case.weight[case.known] for case in cases])
    planted = np.eye(len(CAUSES))[np.concatenate([case.cause[case.known] for case in cases])]

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = tied(flat.reshape(start.shape).copy())
        log = x @ table + offset
        log -= log.max(axis=1, keepdims=True)
        p = np.exp(log)
        p /= p.sum(axis=1, keepdims=True)
        loss = -weight @ np.log((p * planted).sum(axis=1) + 1e-12)
        slope = x.T @ (weight[:, None] * (p - planted)) + RIDGE * table
        return loss + RIDGE / 2 * (table**2).sum(), tied(slope).ravel()

    found = minimize(cost, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 120})
    return tied(found.x.reshape(start.shape)), found.fun / weight.sum()


def fit(runs: list[Planted]) -> tuple[np.ndarray, dict[str, np.ndarray], float]:
    """(prior, kind → factors as in `Likelihoods`, log loss of a prompt)."""
    cases = [Case(run) for run in runs]
    prior = np.mean([case.planted for case in cases], axis=0)
    shares = [prior] * len(cases)
    weights, loss = np.zeros((WIDTH, len(CAUSES))), 0.0
    for _ in range(ROUNDS):
        weights, loss = regression(cases, shares, weights)
        shares = [case.shares(weights, prior) for case in cases]
    return prior, {name: weights[at : at + SIZES[name]].T for name, at in STARTS.items()}, loss


def prompts(runs: list[Planted]) -> int:
    """All their prompts whose cause is known."""
    return sum(int((run.cause != "").sum()) for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worlds", type=Path, help="folder with trained worlds")
    parser.add_argument("--simulated", type=int, default=240, help="simulated runs")
    parser.add_argument("--write", action="store_true", help="write likelihoods.json")
    args = parser.parse_args()
    real = [run for run in trained(args.worlds) if run.world in FIT_WORLDS]
    made = [simulated_to_fit(seed) for seed in range(args.simulated)]
    weight = TRAINED * prompts(made) / max(1, prompts(real))
    runs = made + [replace(run, weight=weight) for run in real]
    prior, factor, loss = fit(runs)
    about = f"{args.simulated} simulated runs"
    if real:
        about = f"{len(real)} trained runs of worlds {sorted({r.world for r in real})}, {about}"
    print(f"{about}: log loss {loss:.3f} a prompt")
    if args.write:
        by_cause = lambda rows, digits: dict(zip(CAUSES, np.round(rows, digits).tolist(), strict=True))  # noqa: E731
        tables = {name: by_cause(table, 3) for name, table in factor.items()}
        write_json(FILE, {"about": about, "prior": by_cause(prior, 4), "factor": tables})
        print(f"written: {FILE}")


if __name__ == "__main__":
    main()
