"""Two runs, prompt by prompt: which prompts the other one fixed, broke or left as they were, and which stay open.

The null: as many prompts change by luck as there are prompts to look at. So a prompt is called fixed or broken only by
Fisher's exact test at a false discovery rate of 5 % over all prompts of both runs (Benjamini and Hochberg 1995), and
unchanged only where its whole interval lies near zero; everything else is open. Adaptive sampling stops by what it
sees, which the test does not know: such a pair of evaluations has differences and no verdicts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from openrlhf_unlearn.report.interventions import names
from openrlhf_unlearn.report.material import Material, Tally
from openrlhf_unlearn.stats.means import share_difference

RATE = 0.05  # false discoveries among the prompts that are called fixed or broken
NEAR = 0.2  # an interval inside ± this says that the prompt did not change much
KINDS = ("open", "unchanged", "fixed", "broken")


@dataclass(frozen=True)
class Changes:
    """Of one compared run to the first, (prompts,) each; nan, or -1 as kind, where one of them has no samples."""

    run: str
    difference: np.ndarray  # of final pass@1
    low: np.ndarray  # its 95 % interval (Newcombe's), nan after adaptive sampling
    high: np.ndarray
    kind: np.ndarray  # a place in KINDS

    def counts(self) -> dict[str, Any]:
        """What the summary keeps of it."""
        known = self.kind >= 0
        found = {kind: int((self.kind == code).sum()) for code, kind in enumerate(KINDS)}
        return {"run": self.run, "prompts": int(known.sum()), **found, "told": bool(np.isfinite(self.low).any())}


def changes(run: str, before: Tally | None, after: Tally | None, size: int) -> Changes:
    """`before`, `after`: the final evaluation of the first run and of the other, of `size` prompts in one order; None
    where there is none."""
    if before is None or after is None:
        nothing = np.full(size, np.nan)
        return Changes(run, nothing, nothing, nothing, np.full(size, -1))
    both = (before.n > 0) & (after.n > 0)
    difference = np.where(both, after.rate - before.rate, np.nan)
    low, high, kind = np.full(size, np.nan), np.full(size, np.nan), np.where(both, 0, -1)
    if both.any() and not (before.adaptive or after.adaptive):
        counts = np.stack([before.positive, before.n, after.positive, after.n], 1)[both].astype(int)
        cases, place = np.unique(counts, axis=0, return_inverse=True)  # few: the same counts come again and again
        bounds = np.array([share_difference(*case) for case in cases])
        p = np.array([stats.fisher_exact(np.array([[a, n - a], [b, m - b]])).pvalue for a, n, b, m in cases])
        low[both], high[both] = bounds[place.ravel()].T
        kind[both] = _kinds(difference[both], low[both], high[both], p[place.ravel()])
    return Changes(run, difference, low, high, kind)


def _kinds(difference: np.ndarray, low: np.ndarray, high: np.ndarray, p: np.ndarray) -> np.ndarray:
    called = stats.false_discovery_control(p) <= RATE
    names = np.select(
        [called & (difference > 0), called & (difference < 0), (low > -NEAR) & (high < NEAR)],
        [KINDS.index("fixed"), KINDS.index("broken"), KINDS.index("unchanged")],
    )
    return names


def all_changes(material: Material) -> list[Changes]:
    """Of every compared run but the first, in their order, to the first."""
    tallies = [single.tally(single.final) for single in material.interventions]
    pairs = zip(names(material)[1:], tallies[1:], strict=True) if tallies else ()
    return [changes(name, tallies[0], tally, material.size) for name, tally in pairs]
