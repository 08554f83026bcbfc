"""P(cause | evidence), (prompts, causes): fitted log factors, one a kind, and each run's own shares of the causes."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.causes.evidence import EVIDENCE, counted, values
from openrlhf_unlearn.causes.nulls import impossible
from openrlhf_unlearn.causes.observed import Observed

PRIOR_PROMPTS = 200.0  # that the fitted shares count for beside a run's own: many of its prompts share a cause
FILE = Path(__file__).with_name("likelihoods.json")


@dataclass(frozen=True)
class Likelihoods:
    """prior: (causes,). factor: kind → (causes, bins + 1), the log of what a bin says of each cause, up to a constant.

    The last column is of prompts that have none of what others of the run have. about: what they were fitted on.
    """

    prior: np.ndarray
    factor: dict[str, np.ndarray]
    about: str = ""

    def log_factors(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """kind → (prompts, causes), 0 where the run has no such evidence. values: kind → (prompts,)."""
        return {name: self.factor[name].T[place] for name, place in columns(values).items()}


def columns(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """kind → (prompts,) which column of its factors each prompt has; of the kinds that the run has."""
    there = {name: mine for name, mine in values.items() if np.isfinite(mine).any()}
    bins = {name: EVIDENCE[name].bin(mine) for name, mine in there.items()}
    return {name: np.where(mine < 0, EVIDENCE[name].bins, mine) for name, mine in bins.items()}


@cache
def fitted() -> Likelihoods:
    """The package's own, of likelihoods.json."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    return Likelihoods(
        np.array([kept["prior"][cause] for cause in CAUSES]),
        {name: np.array([kept["factor"][name][cause] for cause in CAUSES]) for name in EVIDENCE},
        kept["about"],
    )


@dataclass(frozen=True)
class Posterior:
    """probability: (prompts, causes). values, factors: by kind of evidence, (prompts,) and (prompts, causes)."""

    probability: np.ndarray
    values: dict[str, np.ndarray]
    factors: dict[str, np.ndarray]

    def favours(self, kind: str, row: int, cause: int) -> float:
        """log of how much likelier this evidence is under the cause than under all others, by their posterior."""
        factor, weight = self.factors[kind][row], self.probability[row].copy()
        weight[cause] = 0.0
        if weight.sum() < 1e-12:
            weight = 1.0 - np.eye(len(weight))[cause]
        return float(factor[cause] - np.log(weight @ np.exp(factor) / weight.sum()))


def posterior(observed: Observed, by: Likelihoods | None = None) -> Posterior:
    """Every prompt's posterior; `by`: the package's own tables by default."""
    by = by or fitted()
    found = values(observed)
    none = np.zeros((observed.size, len(CAUSES)))
    factors = dict.fromkeys(EVIDENCE, none) | by.log_factors(found)
    log = np.where(impossible(*counted(observed)), -np.inf, sum(factors.values()))
    return Posterior(with_own_shares(log, by.prior), found, factors)


def with_own_shares(log: np.ndarray, prior: np.ndarray, iterations: int = 100) -> np.ndarray:
    """The posterior, (prompts, causes), with the shares of the causes that these prompts make likeliest."""
    likelihood = np.exp(log - log.max(axis=1, keepdims=True))
    shares = prior
    for _ in range(iterations):
        member = likelihood * shares
        member /= member.sum(axis=1, keepdims=True)
        new = run_shares(member, prior)
        if np.abs(new - shares).max() < 1e-9:
            break
        shares = new
    return member


def run_shares(member: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The causes' shares of the run whose prompts have this posterior, (causes,)."""
    return (member.sum(axis=0) + PRIOR_PROMPTS * prior) / (len(member) + PRIOR_PROMPTS)
