"""How well the groups found agree with the built-in world's planted truth."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from openrlhf_unlearn.store.prompts import GROUPS, Learnability
from openrlhf_unlearn.worlds.task import CAUSES
from openrlhf_unlearn.worlds.task import GROUPS as PLANTED
from openrlhf_unlearn.worlds.truth import Truth

NOT_SEEN = "not seen"
JUDGED = ("learnable", "unlearnable")


@dataclass(frozen=True)
class Agreement:
    """Counts of prompts by (planted group, found group), and by (planted cause, found group) where causes are known."""

    counts: Counter
    causes: Counter = field(default_factory=Counter)

    @property
    def n_prompts(self) -> int:
        return sum(self.counts.values())

    @property
    def n_wrong(self) -> int:
        """Prompts in a wrong group; `mixed` is not wrong, nor is a prompt that was not seen."""
        return sum(n for (row, column), n in self.counts.items() if column not in (row, "mixed", NOT_SEEN))

    def claimed(self, group: str) -> int:
        return sum(self.counts[row, group] for row in PLANTED)

    def planted(self, group: str) -> int:
        return sum(n for (row, _), n in self.counts.items() if row == group)

    def precision(self, group: str) -> float | None:
        """Of those found in `group`, the share that was planted there; None if none was found."""
        return self.counts[group, group] / self.claimed(group) if self.claimed(group) else None

    def recall(self, group: str) -> float:
        """Of those planted in `group`, the share that was found there."""
        return self.counts[group, group] / self.planted(group)

    def lines(self) -> list[str]:
        """Found against planted groups as a table, then precision and recall."""
        text = self._table(self.counts, PLANTED)
        for group in JUDGED:
            agreed, claimed, planted = self.counts[group, group], self.claimed(group), self.planted(group)
            precision = f"{agreed / claimed:.2f}" if claimed else "-"
            text.append(
                f"{group}: precision {precision} ({agreed} of {claimed}), "
                f"recall {agreed / planted:.2f} ({agreed} of {planted})"
            )
        text.append(
            f"in a wrong group: {self.n_wrong} of {self.n_prompts} prompts ({self.n_wrong / self.n_prompts:.1%}); "
            "`mixed` is not wrong"
        )
        return text + (["by planted cause:", *self._table(self.causes, CAUSES)] if self.causes else [])

    def _table(self, counts: Counter, rows: tuple[str, ...]) -> list[str]:
        columns = [group for group in (*GROUPS, NOT_SEEN) if any(self.counts[row, group] for row in PLANTED)]
        lines = [f"{'planted / found':<16}" + "".join(f"{column:>13}" for column in columns)]
        return lines + [f"{row:<16}" + "".join(f"{counts[row, name]:>13}" for name in columns) for row in rows]


def read_groups(path: Path) -> dict[str, str]:
    """prompt_id → group, of `truth.parquet` or `learnability.parquet`."""
    return Learnability.groups_in(path)


def agreement(truth: Path, learnability: Path) -> Agreement:
    found = read_groups(learnability)
    table = Truth.open(truth)
    planted = [(found.get(row.prompt_id, NOT_SEEN), row) for row in table.rows()]
    causes = Counter((row.cause, name) for name, row in planted if table.has(Truth.cause))
    return Agreement(Counter((row.group, name) for name, row in planted), causes)
