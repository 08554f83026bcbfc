"""What the report takes from a diagnosis (openrlhf_unlearn/causes): a sentence of the answer, each prompt's evidence.

All of it is read from causes.parquet and causes.json; a run without these has none of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from openrlhf_unlearn.causes import UNDECIDED
from openrlhf_unlearn.report.numbers import Sentence
from openrlhf_unlearn.store.prompts import CAUSES
from openrlhf_unlearn.store.prompts import Causes as CauseTable
from openrlhf_unlearn.store.run_dir import RunDir, read_object

if TYPE_CHECKING:
    from openrlhf_unlearn.report.material import Material

NOT_LEARNED = ("unlearnable", "no_reward")
LEFT_OUT = ("guessable", "beyond", "random_label")  # to leave out any other would lose what can be had
WHAT = {
    "verifier": "{verifier:gets|get} right answers graded wrong",
    "wrong_label": "{wrong_label:has|have} a label that the samples contradict",
    "guessable": "{guessable:is|are} rewarded by guessing",
    "never_rewarded": "{never_rewarded:was|were} never rewarded and {never_rewarded:shows|show} no other cause",
    "rising": "{rising:was|were} still rising",
    "forgotten": "{forgotten:was|were} solved and lost again",
    "beyond": "{beyond:is|are} beyond this model",
    "random_label": "{random_label:has a label|have labels} that no model reproduces",
}


@dataclass(frozen=True)
class Causes:
    """A diagnosis on a report's prompts. place: row of the report → row of the table, of what is still not learned."""

    table: list[Any]  # rows of causes.parquet
    place: dict[int, int]
    summary: dict[str, Any]
    size: int

    @classmethod
    def read(cls, run: RunDir, material: "Material") -> "Causes | None":
        if not (run.causes.exists() and run.causes_json.exists()):
            return None
        return cls.of(CauseTable.read(run), read_object(run.causes_json), material)

    @classmethod
    def of(cls, table: CauseTable, summary: dict[str, Any], material: "Material") -> "Causes | None":
        """None where every prompt of the diagnosis was learned since."""
        rows = table.places(material.ids).tolist()
        place = {row: i for i, row in enumerate(rows) if row >= 0 and material.groups[row] in NOT_LEARNED}
        return cls(table.rows(), place, summary, material.size) if place else None

    @cached_property
    def cause(self) -> np.ndarray:
        """(prompts,) of str, "" where there is no diagnosis."""
        found = np.full(self.size, "", dtype=object)
        for row, i in self.place.items():
            found[row] = self.table[i].cause
        return found

    @cached_property
    def probability(self) -> np.ndarray:
        """Of the cause, (prompts,), nan where none is told (`is_told`)."""
        found = np.full(self.size, np.nan)
        for row, i in self.place.items():
            if is_told(self.table[i].cause, self.summary):
                found[row] = self.table[i].probability
        return found

    @cached_property
    def left_out(self) -> np.ndarray:
        """P(a cause whose prompts are left out), (prompts,), nan where there is no diagnosis."""
        found = np.full(self.size, np.nan)
        for row, i in self.place.items():
            found[row] = CauseTable.chance(self.table[i], LEFT_OUT)
        return found

    def opened(self, row: int) -> dict[str, Any]:
        """What a prompt's view shows; nothing where there is no diagnosis."""
        if row not in self.place:
            return {}
        mine = self.table[self.place[row]]
        settle = mine.settle if mine.cause == UNDECIDED else f"To confirm it: {mine.settle}"
        return {"evidence": [*mine.evidence, f"{settle} ({mine.command})"]}


def is_told(cause: str, summary: Mapping[str, Any]) -> bool:
    """Whether its probability is told: whether a model errs throughout or the label is wrong, it cannot say, nor can
    another training of it. summary: causes.json."""
    independent = summary.get("independent", bool(summary["seconds"]))  # of an earlier version
    return cause != UNDECIDED and (cause != "wrong_label" or independent)


def sentence(material: "Material") -> Sentence | None:
    """The second sentence of the answer: how many prompts have each cause, and for how many it is uncertain."""
    causes = material.causes
    if causes is None:
        return None
    counts = {cause: int((causes.cause == cause).sum()) for cause in (*CAUSES, UNDECIDED)}
    numbers = {"prompts": len(causes.place), "sure": causes.summary["sure"]}
    said = sorted((cause for cause in CAUSES if counts[cause]), key=lambda cause: -counts[cause])
    if not said:
        text = "Why {prompts:count} {prompts:prompt was|prompts were} not learned is uncertain: no cause of any"
        text += " has a probability of {sure:percent} that its evidence bears out"
    else:
        numbers |= {cause: counts[cause] for cause in said}
        text = "Why, where it is at least {sure:percent} sure: "
        text += ", ".join(f"{{{cause}:count}} {WHAT[cause]}" for cause in said)
    if said and counts[UNDECIDED]:
        numbers[UNDECIDED] = counts[UNDECIDED]
        text += f"; for {{{UNDECIDED}:count}} it is uncertain"
    open_ones = [causes.table[i] for i in causes.place.values() if causes.table[i].cause == UNDECIDED]
    one_model = sum("--second" in row.command for row in open_ones)  # nothing else tells their likeliest two apart
    if one_model:
        if one_model < len(open_ones):
            numbers["one_model"] = one_model
            text += ", for {one_model:count} of these"
        text += " with one model (`diagnose --second`)"
    return text + ".", numbers
