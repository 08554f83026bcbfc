"""From runs to a report: what it says, every figure's data, the page's data. Nothing is written: see write.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from openrlhf_unlearn.errors import command
from openrlhf_unlearn.grading.extract import find_answer
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.report.advice import advise, as_numbers, prompt_lists
from openrlhf_unlearn.report.answer import answer
from openrlhf_unlearn.report.browser import details, number_columns, pack_blocks, prompt_table, spreadsheet, table
from openrlhf_unlearn.report.changes import KINDS, NEAR, RATE, all_changes
from openrlhf_unlearn.report.failures import consensus, failures
from openrlhf_unlearn.report.figures.base import Data
from openrlhf_unlearn.report.figures.collect import Collected, collect
from openrlhf_unlearn.report.groups import HARD, group_table, hard_prompts, labelled_prompts
from openrlhf_unlearn.report.interventions import comparison
from openrlhf_unlearn.report.material import Material, Missing, Tally
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.report.options import AnalyzeOptions
from openrlhf_unlearn.report.outlook import outlook
from openrlhf_unlearn.report.probes import outliers, separation
from openrlhf_unlearn.report.remedy import recorded
from openrlhf_unlearn.report.rollouts import HEAD, TAIL, Sample, ShownRollout, shown_rollouts, token_limit
from openrlhf_unlearn.store.run_dir import read_object

LABELS = (  # what classify says of its labels that sentences depend on
    "learnable_means", "improved_by", "expected_improved", "learnable_by_chance", "learned_without_reward",
    "unlearnable_not_visited",
)  # fmt: skip
MOVED = (KINDS.index("fixed"), KINDS.index("broken"))


@dataclass(frozen=True)
class Report:
    """`numbers` is what summary.json keeps under "report"; the rest is what its files are made of beside it."""

    numbers: dict[str, Any]
    answer: list[Say]
    advice: list[Say]
    remedy: list[Say]
    figures: Collected
    lists: dict[str, list[str]]  # file → ids of the prompts of an advice
    prompts: Data  # prompts.csv
    table: dict[str, list[Any]]
    details: list[str]
    rollouts: dict[int, list[ShownRollout]]


def build(
    material: Material, options: AnalyzeOptions, missing: Sequence[Missing], folder: Path, live: int | None = None
) -> Report:
    """`folder`: where the report's files will be, which its numbers name; live: seconds after which the page loads
    itself again, while training runs. A part is made of the material and of the parts it names."""
    changes = all_changes(material)
    moved = np.any([np.isin(change.kind, MOVED) for change in changes], axis=0) if changes else None
    shown, samples = shown_rollouts(material, moved)
    samples = hard_samples(material, samples)
    answers = [(find_answer(sample.response) or "").strip() for sample in samples]
    labels = [label or "" for label in material.prompts.label]
    failed = failures(samples, answers, labels, token_limit(material))
    advice = [] if material.provisional else advise(material, outliers(material), consensus(samples, answers))
    groups, similarity, expected = group_table(material), separation(material), outlook(material)
    said = answer(material, groups, similarity, expected, advice)
    remedy, verdicts = recorded(material.summary)
    figures = collect(material)
    columns, opened = number_columns(material, changes), details(material, shown)
    packed, prompts = table(material, columns, advice, shown, failed, changes), spreadsheet(material, columns, changes)
    steps = np.unique(material.visits.step)
    classified = material.summary.classify
    numbers = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command("analyze", *options.runs, *_flags(options)),
        "runs": [str(run) for run in material.runs],
        "provisional": material.provisional,
        "prompts": material.size,
        "labelled": labelled_prompts(groups),
        "hard": hard_prompts(groups),
        "tau": material.tau,
        "easy": material.easy,
        "threshold": material.threshold,
        "allow_uneven": options.allow_uneven,
        "live": live,
        "groups": groups,
        "training": {
            "steps": len(steps),
            "last_step": int(steps[-1]) if len(steps) else None,
            "visits": len(material.visits.step),
            "rollouts": int(material.visits.n.sum()),
        },
        "outlook": expected,
        "evaluations": {
            tag: _evaluation(material, tag, tally) for tag in material.tags if (tally := material.tally(tag))
        },
        "labels": {} if material.provisional else {name: classified.get(name) for name in LABELS},
        "expected_label_errors": classified.get("expected_label_errors"),
        "agreement": classified.get("agreement", {}).get("fleiss_kappa"),
        "missing": [vars(item) for item in (*missing, *figures.missing)],
        "advice": as_numbers(advice, material, folder / "lists"),
        "similarity": similarity,
        "compare": comparison(material) if material.compared else None,
        "remedy": remedy,
        "changes": [change.counts() for change in changes],
        "change_rule": {"rate": RATE, "near": NEAR},
        "failures": failed.as_dict() if failed else None,
        "figures": {one.figure.name: one.as_dict() for one in figures.shown},
        "shown": {"prompts": len(shown), "characters": HEAD + TAIL},
        "prompts_file": {"file": str(folder / "prompts.csv"), "rows": material.size, "columns": list(prompts)},
        "answer": [sentence.as_dict() for sentence in said],
    }
    safe: Any = masked(clean(numbers))
    return Report(
        numbers=safe | {"prompt_table": prompt_table(material, packed, columns, opened)},
        answer=said,
        advice=[item.say(i) for i, item in enumerate(advice)],
        remedy=verdicts,
        figures=figures,
        lists=prompt_lists(advice, material),
        prompts=prompts,
        table=packed,
        details=pack_blocks(opened),
        rollouts=shown,
    )


def hard_samples(material: Material, samples: list[Sample]) -> list[Sample]:
    """Of the final evaluation's samples those of hard prompts."""
    wanted = np.isin(material.groups, HARD)
    return [sample for sample in samples if wanted[sample.row]]


def _flags(options: AnalyzeOptions) -> list[str]:
    """The flags that decide what the page shows, where they are not the defaults."""
    flags = [f"--{name}={getattr(options, name)}" for name in ("tau", "easy") if getattr(options, name) != 0.1]
    flags += [f"--threshold={options.threshold}"] if options.threshold is not None else []
    flags += [f"--output={options.output}"] if options.output else []
    return flags + [f"--{name.replace('_', '-')}" for name in ("allow_uneven", "compare") if getattr(options, name)]


def _evaluation(material: Material, tag: str, tally: Tally) -> dict[str, Any]:
    run = next(run for run in material.runs if run.evaluation(tag).exists())
    about = read_object(run.evaluation_json(tag)) if run.evaluation_json(tag).exists() else {}
    return {
        "prompts": int((tally.n > 0).sum()),
        "samples": int(tally.n.sum()),
        "pass_rate": float(np.nanmean(tally.rate)) if (tally.n > 0).any() else 0.0,
        "adaptive": tally.adaptive,
        "model": about.get("model"),
        "temperature": about.get("temperature"),
    }


def clean(value: Any) -> Any:
    """The same for JSON: numpy's numbers as Python's, nan and infinity as null."""
    if isinstance(value, dict):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [clean(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
