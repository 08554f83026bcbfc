"""Diagnose: every hard prompt that was not learned with its cause, in one table, and what it adds up to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.causes import CAUSES, SURE, UNDECIDED
from openrlhf_unlearn.causes.evidence import top_answers
from openrlhf_unlearn.causes.label_review import SUSPICIOUS
from openrlhf_unlearn.causes.nulls import contradicted
from openrlhf_unlearn.causes.posterior import Posterior, fitted, posterior
from openrlhf_unlearn.causes.reading import Cases, read_cases
from openrlhf_unlearn.causes.remedies import Remedy, remedies
from openrlhf_unlearn.causes.words import Sentences, decided
from openrlhf_unlearn.store.prompts import Causes, Learnability
from openrlhf_unlearn.store.run_dir import RunDir, refuse_links, write_json

VERSION = 1  # of causes.json


@dataclass(frozen=True)
class Diagnosis:
    """`table`: a row a prompt, as in `Causes`, `summary`: what causes.json keeps, `remedies` among it."""

    table: pa.Table
    summary: dict
    remedies: list[Remedy]


def diagnose(
    runs: Sequence[str | Path],
    seconds: Sequence[tuple[str, Path]] = (),
    *,
    tau: float = 0.1,
    easy: float = 0.1,
    initial: str = "initial",
    final: str = "final",
) -> Diagnosis:
    """Causes of the prompts that `runs`, repetitions of one run, did not learn; reads files and writes none.

    seconds: (name, evaluation file) of other models on the same prompts. Groups are those of learnability.parquet, or
    as classify would give them. Raises UserError for runs that cannot be used.
    """
    opened = [RunDir.open(path) for path in runs]
    return of_cases(read_cases(opened, groups_of(opened, tau, easy), seconds, initial, final))


def of_cases(cases: Cases) -> Diagnosis:
    found = posterior(cases.observed) if cases.ids else Posterior(np.zeros((0, len(CAUSES))), {}, {})
    causes = decided(found.probability, contradicted(found.values)) if cases.ids else np.zeros(0, dtype=object)
    cures = remedies(cases, found, causes)
    return Diagnosis(_table(cases, found, causes), _summary(cases, found, causes, cures), cures)


def save(result: Diagnosis, runs: Sequence[str | Path], made_from: dict | None = None) -> None:
    """Write causes.parquet, causes.json and a list of prompts for each cause into every run.

    made_from: what the diagnosis depends on, by which the next `analyze` knows whether to make it anew.
    """
    table = Causes(result.table)
    causes, ids = table.cause, table.prompt_id
    opened = [RunDir(run) for run in runs]
    refuse_links(*(run.cause_lists for run in opened))
    for run in opened:
        for cause in (*CAUSES, UNDECIDED):
            mine = [name for name, found in zip(ids, causes, strict=True) if found == cause]
            if mine:
                write_json(run.cause_list(cause), mine)
            else:
                run.cause_list(cause).unlink(missing_ok=True)  # an earlier diagnosis may have left one
        table.write(run)
        write_json(run.causes_json, {**result.summary, "made_from": made_from})


def groups_of(runs: Sequence[RunDir], tau: float = 0.1, easy: float = 0.1) -> dict[str, str]:
    from openrlhf_unlearn.labels.classify import classify
    from openrlhf_unlearn.labels.counts import same_prompts

    if runs[0].learnability.exists():
        same_prompts(runs)
        return Learnability.groups(runs[0])

    table = Learnability(classify([str(run.path) for run in runs], tau, easy).table)
    return dict(zip(table.prompt_id, table.group, strict=True))


def _table(cases: Cases, found: Posterior, causes: np.ndarray) -> pa.Table:
    say, top = Sentences(cases, found), top_answers(cases.observed.final)
    final, wrong = cases.observed.final, CAUSES.index("wrong_label")
    rows = []
    for row, (name, cause) in enumerate(zip(cases.ids, causes, strict=True)):
        settle, command = say.settles(row, cause)
        answer = top[row] if found.probability[row, wrong] >= SUSPICIOUS or say.agreed(row) else None
        proposed = None if answer is None else cases.texts.get(answer)
        rows.append(
            Causes.Row(
                prompt_id=name,
                group=cases.groups[row],
                cause=cause,
                probability=float(found.probability[row].max()),
                **Causes.posterior(found.probability[row]),
                evidence=say.lines(row),
                settle=settle,
                command=command,
                proposed=proposed,
                proposed_share=None if proposed is None else final.times(row, answer) / final.read[row],
            )
        )
    return Causes.of_rows(rows).arrow


def _summary(cases: Cases, found: Posterior, causes: np.ndarray, cures: list[Remedy]) -> dict:
    groups = np.array(cases.groups, dtype=object)
    expected = found.probability.sum(axis=0)
    counts = {
        cause: {
            "prompts": int((causes == cause).sum()),
            "expected": float(expected[CAUSES.index(cause)]) if cause != UNDECIDED else None,
            "by_group": {g: int(n) for g, n in Counter(groups[causes == cause]).items()},
        }
        for cause in (*CAUSES, UNDECIDED)
    }
    return {
        "version": VERSION,
        "runs": [str(run) for run in cases.runs],
        "seconds": cases.seconds,
        "independent": cases.independent,
        "sure": SURE,
        "fitted_on": fitted().about,
        "prompts": len(cases.ids),
        "texts": cases.observed.final.answers is not None,
        "causes": counts,
        "remedies": [asdict(cure) for cure in cures],
    }
