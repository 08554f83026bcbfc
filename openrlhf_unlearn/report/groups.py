"""The table of the groups: counts, shares of the hard prompts, pass rates, each with its interval (paper, Table 1)."""

import numpy as np

from openrlhf_unlearn.stats.means import rate_interval, wilson
from openrlhf_unlearn.store.prompts import GROUPS, Learnability

HARD = ("learnable", "unlearnable", "no_reward", "mixed")


def group_table(material) -> dict[str, dict]:
    """group → its numbers, for the groups that have prompts."""
    counts = {group: int((material.groups == group).sum()) for group in GROUPS}
    hard = sum(counts[group] for group in HARD)
    expected = material.summary.classify.get("hard", {}) if not material.provisional else {}
    rates = {"initial": _rates(material, "initial"), "final": _rates(material, "final")}
    confidence = material.label_column(Learnability.label_confidence)
    table = {}
    for group in (group for group in GROUPS if counts[group]):
        mine = material.groups == group
        share = counts[group] / hard if group in HARD else None
        row = {
            "prompts": counts[group],
            "share_of_all": counts[group] / max(1, int((material.groups != "").sum())),
            "share_of_hard": share,
            "share_of_hard_interval": None if share is None else list(wilson(share, hard)),
            "expected_share": (expected.get(group) or {}).get("expected_share"),
            "confidence": rate_interval(confidence[mine])[0],
        }
        for when, values in rates.items():
            row[f"{when}_pass_rate"], row[f"{when}_interval"] = rate_interval(values[mine])
        table[group] = row
    return table


def _rates(material, when: str) -> np.ndarray:
    """pass@1 of each prompt, (prompts,), nan where it was not evaluated."""
    tally = material.tally(getattr(material, when))
    return np.full(material.size, np.nan) if tally is None else tally.rate
