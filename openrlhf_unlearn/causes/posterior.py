"""P(cause | evidence), (prompts, causes): naive Bayes with fitted tables, and each run's own shares of the causes."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.causes.evidence import EVIDENCE, counted, values
from openrlhf_unlearn.causes.nulls import impossible
from openrlhf_unlearn.causes.observed import Observed

PRIOR_PROMPTS = 20.0  # prompts that the fitted shares of the causes count for beside the run's own
FILE = Path(__file__).with_name("likelihoods.json")


@dataclass(frozen=True)
class Likelihoods:
    """prior: (causes,). table: kind → (causes, bins), rows add up to 1. exponent: kind → what its factor is raised to.

    about: what they were fitted on, in words.
    """

    prior: np.ndarray
    table: dict[str, np.ndarray]
    exponent: dict[str, float]
    about: str = ""

    def log_factors(self, bins: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """kind → log P(bin | cause) times its exponent, (prompts, causes); 0 where there is no evidence."""
        found = {}
        for name, mine in bins.items():
            factor = self.exponent[name] * np.log(self.table[name].T)[mine]
            found[name] = np.where((mine >= 0)[:, None], factor, 0.0)
        return found


@cache
def fitted() -> Likelihoods:
    """The package's own, of likelihoods.json."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    return Likelihoods(
        np.array([kept["prior"][cause] for cause in CAUSES]),
        {name: np.array([kept["table"][name][cause] for cause in CAUSES]) for name in EVIDENCE},
        kept["exponent"],
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
    factors = by.log_factors({name: kind.bin(found[name]) for name, kind in EVIDENCE.items()})
    log = np.where(impossible(*counted(observed)), -np.inf, sum(factors.values()))
    return Posterior(with_own_shares(log, by.prior), found, factors)


def with_own_shares(log: np.ndarray, prior: np.ndarray, iterations: int = 100) -> np.ndarray:
    """The posterior, (prompts, causes), with the shares of the causes that these prompts make likeliest."""
    likelihood = np.exp(log - log.max(axis=1, keepdims=True))
    shares = prior
    for _ in range(iterations):
        member = likelihood * shares
        member /= member.sum(axis=1, keepdims=True)
        new = (member.sum(axis=0) + PRIOR_PROMPTS * prior) / (len(log) + PRIOR_PROMPTS)
        if np.abs(new - shares).max() < 1e-9:
            break
        shares = new
    return member
