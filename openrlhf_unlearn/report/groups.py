"""The table of the groups: counts, shares of the hard prompts, pass rates, each with its interval (paper, Table 1)."""

from typing import Any, TypedDict

from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.stats.means import rate_interval, wilson
from openrlhf_unlearn.store.prompts import GROUPS, Learnability

HARD = ("learnable", "unlearnable", "no_reward", "mixed")


class GroupNumbers(TypedDict):
    """One row, as the summary keeps it; None where it does not apply or nothing is known."""

    prompts: int
    share_of_all: float
    share_of_hard: float | None
    share_of_hard_interval: list[float] | None
    expected_share: float | None
    confidence: float | None
    initial_pass_rate: float | None
    initial_interval: list[float] | None
    final_pass_rate: float | None
    final_interval: list[float] | None


Groups = dict[str, GroupNumbers]


def group_table(material: Material) -> Groups:
    """group → its numbers, for the groups that have prompts."""
    counts = {group: int((material.groups == group).sum()) for group in GROUPS}
    hard = sum(counts[group] for group in HARD)
    expected: dict[str, dict[str, Any]] = material.labels.get("hard", {})
    confidence = material.label_column(Learnability.label_confidence)
    table: Groups = {}
    for group in (group for group in GROUPS if counts[group]):
        mine = material.groups == group
        share = counts[group] / hard if group in HARD else None
        between = wilson(share, hard)
        initial, initial_interval = rate_interval(material.rates(material.initial)[mine])
        final, final_interval = rate_interval(material.rates(material.final)[mine])
        table[group] = {
            "prompts": counts[group],
            "share_of_all": counts[group] / max(1, int((material.groups != "").sum())),
            "share_of_hard": share,
            "share_of_hard_interval": None if between is None else list(between),
            "expected_share": (expected.get(group) or {}).get("expected_share"),
            "confidence": rate_interval(confidence[mine])[0],
            "initial_pass_rate": initial,
            "initial_interval": initial_interval,
            "final_pass_rate": final,
            "final_interval": final_interval,
        }
    return table


def labelled_prompts(table: Groups) -> int:
    """Prompts that have a group."""
    return sum(row["prompts"] for row in table.values())


def hard_prompts(table: Groups) -> int:
    return sum(table[group]["prompts"] for group in HARD if group in table)
