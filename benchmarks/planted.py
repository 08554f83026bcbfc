"""Prompts whose cause was planted: of trained built-in worlds, where they are there, and of simulated runs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openrlhf_unlearn.causes.observed import Observed
from tests.causes.simulator import simulate

FIT_WORLDS = (0, 1, 2)
WRONG = (0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Planted:
    """One run: what is known of its hard prompts that were not learned, and the planted cause of each, (prompts,)."""

    observed: Observed
    cause: np.ndarray
    name: str
    world: int | None = None
    weight: float = 1.0  # of a prompt in the fit


def simulated(seed: int, second: bool | None = None) -> Planted:
    """Wrong labels at 5, 10 and 20 %, random and by a rule in turn; every third run without a second model, every fifth
    without texts; second: with or without one, and with texts."""
    options = {"wrong": WRONG[seed % 3], "systematic": seed % 2 == 1}
    if second is None:
        found = simulate(seed, second=seed % 3 != 2, text=seed % 5 != 4, **options)
    else:
        found = simulate(seed, second=second, **options)
    return Planted(found.observed, found.cause, f"simulated {seed}")


def trained(folder: Path | None) -> list[Planted]:
    return []
