"""What a person decided in the page: marks and notes of prompts, as the file that the page lets them download.

{"kind": "decisions", "version": 1, "runs": [RUN, …],
 "decisions": [{"prompt_id": ID, "decision": "drop" | "label_wrong" | "keep" | "", "label": "", "note": ""}, …]}
"""

from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import read_object

VERSION = 1
DECISIONS = {"drop": "Drop", "label_wrong": "Label wrong", "keep": "Keep"}


@dataclass(frozen=True)
class PageDecision:
    prompt_id: str
    decision: str  # one of DECISIONS, or "": only a note
    label: str = ""  # the right label, where the person gave one
    note: str = ""


def read_decisions(path: Path) -> dict[str, PageDecision]:
    """Prompt id → its decision. Raises UserError for a file of another kind or version, or with an unknown decision."""
    value = read_object(path)
    if value.get("kind") != "decisions" or value.get("version") != VERSION:
        raise UserError(f"{path} holds no decisions of version {VERSION}; download them again from the report's page")
    found = {}
    for number, row in enumerate(value.get("decisions") or ()):
        if not isinstance(row, dict) or not isinstance(row.get("prompt_id"), str):
            raise UserError(f"{path}: decision {number} names no prompt_id; download the file again")
        decision = PageDecision(*(str(row.get(name) or "") for name in ("prompt_id", "decision", "label", "note")))
        if decision.decision and decision.decision not in DECISIONS:
            raise UserError(f"{path}: {decision.decision!r} of {decision.prompt_id}: choose of {', '.join(DECISIONS)}")
        found[decision.prompt_id] = decision
    return found
