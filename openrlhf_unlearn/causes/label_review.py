"""A person's word on labels: a list to read, their decisions back, and the data set corrected by them.

The list is a CSV, a row a prompt, the most suspicious first. The person fills in `decision`: label_wrong (with the
right answer in `new_label`, which holds the proposed one), drop or keep; an empty one changes nothing.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from openrlhf_unlearn.causes.reading import answer_in
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.nested import get
from openrlhf_unlearn.store.prompts import Causes
from openrlhf_unlearn.store.run_dir import atomic_path
from openrlhf_unlearn.store.spreadsheet import check_unfilled, write_rows

DECISIONS = ("label_wrong", "drop", "keep")
COLUMNS = (
    "prompt_id", "p_wrong_label", "cause", "prompt", "label", "proposed", "evidence", "decision", "new_label",
)  # fmt: skip
EXPORT = "--export review.csv"  # the command that a person's review begins with
SUSPICIOUS = 0.05  # P(wrong label) from which a prompt is on the list


@dataclass(frozen=True)
class Decided:
    """What a person decided of one prompt; `label`: the right one, "" where they gave none."""

    decision: str
    label: str = ""


def suspicious(table: pa.Table, audit: bool = False) -> list:
    """The rows of a `causes` table that are worth a review, the most suspicious first: those whose label may be wrong,
    those that models answer alike, and, but for an audit, in which they may be many, those that only a person settles.
    """
    rows = [row for row in Causes(table).rows() if row.p_wrong_label >= SUSPICIOUS or row.command.endswith(EXPORT)]
    kept = [row for row in rows if row.p_wrong_label >= SUSPICIOUS or row.proposed or not audit]
    return sorted(kept, key=lambda row: (-row.p_wrong_label, row.proposed is None))


def check_review(path: Path) -> None:
    """Raise UserError where a person has written into the list for review."""
    check_unfilled(path, COLUMNS, lambda row: not row["decision"].strip() and row["new_label"] == row["proposed"])


def write_review(path: Path, rows: list, prompts: Mapping[str, str], labels: Mapping[str, str]) -> None:
    """The list for review, from those rows of a `causes` table that are `suspicious`."""
    lines = [
        (
            row.prompt_id, round(row.p_wrong_label, 3), row.cause, prompts[row.prompt_id],
            labels[row.prompt_id], row.proposed or "", " ".join(row.evidence), "", row.proposed or "",
        )
        for row in rows
    ]  # fmt: skip
    check_review(path)
    with atomic_path(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, [COLUMNS, *lines])


def read_decisions(path: Path) -> dict[str, Decided]:
    """Prompt id → what was decided, of a list for review; columns may be parted by what a spreadsheet parts them by.

    Nothing of a list without rows: no label was to be reviewed.
    """
    try:
        columns, rows = _sheet(path)
    except FileNotFoundError:
        raise UserError(f"--decisions {path}: no such file; write one with --export") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--decisions {path} cannot be read ({error}); save it as CSV in UTF-8") from None
    if not {"prompt_id", "decision"} <= columns:
        raise UserError(f"--decisions {path} has no column prompt_id or decision; write the list with --export")
    found: dict[str, Decided] = {}
    for number, row in rows:
        try:
            one = _decided(row)
            if one and found.setdefault(row["prompt_id"], one) != one:
                raise UserError(f"{row['prompt_id']} was decided otherwise in a line before; leave one of them")
        except UserError as error:
            raise UserError(f"{path}, line {number}: {error}") from None
    if rows and not found:
        raise UserError(f"--decisions {path}: no decision is filled in; choose of {', '.join(DECISIONS)}")
    return found


def _sheet(path: Path) -> tuple[set[str], list[tuple[int, dict[str, str]]]]:
    """The columns, and (line of the file at which it begins, cells by column) of each row, without blanks around."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        parted = re.match(r"sep=(\\t|[,;\t|])", first, re.IGNORECASE)  # Excel's own line, before the header
        if not parted:
            file.seek(0)
        delimiter = parted[1].replace("\\t", "\t") if parted else max(",;\t", key=first.count)
        sheet = csv.reader(file, delimiter=delimiter)
        columns = [name.strip().lower() for name in next(sheet, ())]
        rows, begins = [], sheet.line_num + 1
        for cells in sheet:
            row = dict(zip(columns, map(str.strip, cells), strict=False))
            if any(row.values()):
                rows.append((begins + bool(parted), dict.fromkeys(columns, "") | row))
            begins = sheet.line_num + 1
    return set(columns), rows


def _decided(row: dict[str, str]) -> Decided | None:
    """None where nothing was decided."""
    label, proposed = row.get("new_label"), row.get("proposed")
    changed = None not in (label, proposed) and label != proposed
    decision = "_".join(row["decision"].lower().split())
    if not decision:
        if changed:
            raise UserError("new_label was changed and decision is empty; fill in both")
        return None
    if decision not in DECISIONS:
        raise UserError(f"decision {decision!r}; choose of {', '.join(DECISIONS)}, or leave it empty")
    if not row["prompt_id"]:
        raise UserError(f"decision {decision} has no prompt_id; take it from the list, or remove the row")
    if decision == "label_wrong" and label is None:
        raise UserError("decision label_wrong, and there is no column new_label for the right answer; add it")
    if decision != "label_wrong" and changed and label:
        raise UserError(f"new_label was changed and decision is {decision}; choose label_wrong, or empty new_label")
    label = label or ""
    return Decided(decision, label[1:] if label[:2] in ("'=", "'+", "'-", "'@") else label)


def corrected(
    rows: Iterable[tuple[str, dict]], decided: Mapping[str, Decided], label_key: str
) -> tuple[list[dict], Counter]:
    """The rows of a data set, (prompt id, row) each, as decided, and how many were corrected, dropped, kept or unread.

    A wrong label without the right one is dropped too: it would train on a mistake.
    """
    kept, done = [], Counter()
    for name, row in rows:
        one = decided.get(name)
        if one is None:
            done["not reviewed"] += 1
            kept.append(row)
        elif one.decision == "keep":
            done["kept"] += 1
            kept.append(row)
        elif one.decision == "label_wrong" and one.label:
            done["corrected"] += 1
            try:
                kept.append(_with_label(row, label_key, one.label))
            except ValueError:
                old = get(row, label_key)
                raise UserError(
                    f"prompt {name}: new_label {one.label!r} cannot stand where the label is {old!r}; drop or keep it"
                ) from None
        else:
            done["dropped"] += 1
    return kept, done


def _with_label(row: dict, label_key: str, label: str) -> dict:
    """The row with another label, of the type that it had; a dot in the key goes into a nested object."""
    if label_key in row or "." not in label_key:
        return {**row, label_key: _like(row.get(label_key), label)}
    head, _, rest = label_key.partition(".")
    inner = get(row, head)
    return {**row, head: _with_label(dict(inner), rest, label)}


def _like(before: Any, label: str) -> Any:
    """The label as what stood there: a number, a list of one, or in the object that held the answer (reasoning-gym).

    Raises ValueError where it cannot be.
    """
    if isinstance(before, dict) and "answer" in before:
        return {**before, "answer": _like(before["answer"], label)}
    if isinstance(before, list) and len(before) == 1:
        return [_like(before[0], label)]
    if type(before) in (int, float):  # a flag is no number
        return int(label) if isinstance(before, int) else float(label)
    if isinstance(before, str) and answer_in(before) != before:
        return json.dumps(_like(json.loads(before), label), ensure_ascii=False)
    if before is None or isinstance(before, str):
        return label
    raise ValueError(label)
