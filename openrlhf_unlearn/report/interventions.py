"""Interventions side by side: the same prompts in several runs, with paired differences to the first run."""

from typing import TypedDict

import numpy as np

from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.stats.means import rate_difference, rate_interval
from openrlhf_unlearn.store.prompts import GROUPS


class Row(TypedDict):
    """A group in one run, as the summary keeps it; differences are to the first run, which has none."""

    group: str
    run: str
    number: int
    prompts: int
    pass_rate: float | None
    interval: list[float] | None
    difference: float | None
    difference_interval: list[float] | None


class Comparison(TypedDict):
    runs: list[str]
    rows: list[Row]


def comparison(material: Material) -> Comparison:
    """Final pass@1 of each group (as the first run has them) in every run, and its paired difference to the first.

    The interval is over prompts, both rates' intervals put together by their correlation (`rate_difference`). It does
    not know that the first run's samples chose the groups, which lifts its unlearnable a little in every other run.
    """
    rates = [final_rate(single) for single in material.interventions]
    rows: list[Row] = []
    for group in (group for group in GROUPS if (material.groups == group).any()):
        mine = material.groups == group
        for number, rate in enumerate(rates):
            mean, interval = rate_interval(rate[mine])
            difference, between = rate_difference(rate[mine], rates[0][mine]) if number else (None, None)
            rows.append(
                {
                    "group": group,
                    "run": names(material)[number],
                    "number": number,
                    "prompts": int(np.isfinite(rate[mine]).sum()),
                    "pass_rate": mean,
                    "interval": interval,
                    "difference": difference,
                    "difference_interval": between,
                }
            )
    return {"runs": names(material), "rows": rows}


def final_rate(single: Material) -> np.ndarray:
    return single.rates(single.final)


def names(material: Material) -> list[str]:
    """The shortest ends of the runs' paths that tell them apart."""
    parts = [run.path.resolve().parts for run in material.compared]
    for length in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(part[-length:]) for part in parts]
        if len(set(ends)) == len(ends):
            return ends
    return [str(run) for run in material.compared]
