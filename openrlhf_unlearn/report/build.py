"""From runs to a report: every number into one dict, every figure drawn, the page's data packed."""

import shlex
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from openrlhf_unlearn.grading.extract import find_answer
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.report.advice import advise, save_lists, say
from openrlhf_unlearn.report.answer import answer
from openrlhf_unlearn.report.browser import details, number_columns, pack_blocks, plain, table
from openrlhf_unlearn.report.changes import KINDS, NEAR, RATE, Changes, all_changes
from openrlhf_unlearn.report.compare import comparison
from openrlhf_unlearn.report.drawn import Drawn, draw_all
from openrlhf_unlearn.report.failures import consensus, failures
from openrlhf_unlearn.report.figures.base import write_csv
from openrlhf_unlearn.report.groups import HARD, group_table
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.missing import Missing
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.report.outlook import outlook
from openrlhf_unlearn.report.probes import outliers, separation
from openrlhf_unlearn.report.rollouts import HEAD, TAIL, Rollout, Sample, shown_rollouts, token_limit
from openrlhf_unlearn.store.run_dir import read_object
from openrlhf_unlearn.store.summary import Summary

MOVED = (KINDS.index("fixed"), KINDS.index("broken"))


@dataclass(frozen=True)
class Report:
    """`numbers` is what summary.json keeps under "report"; the rest is what the page is made of beside it."""

    numbers: dict
    says: dict[str, list[Say]] = field(default_factory=dict)
    drawn: Drawn = field(default_factory=Drawn)
    files: tuple[str, ...] = ()  # suffixes of the figures' files
    table: dict = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    rollouts: dict[int, list[Rollout]] = field(default_factory=dict)


def build(material: Material, args, missing: list[Missing], formats, folder: Path) -> Report:
    """`folder`: where figures, lists and prompts.csv go. A part is made of the material and of the parts it names."""
    changes = all_changes(material)
    moved = np.any([np.isin(change.kind, MOVED) for change in changes], axis=0) if changes else None
    shown, samples = shown_rollouts(material, moved)
    samples = hard_samples(material, samples)
    answers = [(find_answer(sample.response) or "").strip() for sample in samples]
    outlying = outliers(material)
    advice = [] if material.provisional else advise(material, outlying, consensus(samples, answers))
    labels = [label or "" for label in material.prompts.label]
    failed = failures(samples, answers, labels, token_limit(material))
    drawn = draw_all(material, folder, formats)
    columns = number_columns(material, changes)
    opened = details(material, shown)
    packed = table(material, columns, advice, shown, failed, changes)

    numbers = _numbers(material, args, [*missing, *drawn.missing]) | {
        "advice": save_lists(advice, material, folder / "lists", material.runs, _before(material, args)),
        "similarity": separation(material),
        "compare": comparison(material) if material.compared else None,
        "changes": [change.counts() for change in changes],
        "change_rule": {"rate": RATE, "near": NEAR},
        "failures": failed.as_dict() if failed else None,
        "figures": drawn.numbers,
        "shown": {"prompts": len(shown), "characters": HEAD + TAIL},
        "prompts_file": _save_prompts(folder / "prompts.csv", material, columns, changes),
    }
    said = answer(numbers, material, numbers["similarity"])
    numbers["answer"] = [sentence.as_dict() for sentence in said]
    return Report(
        numbers=masked(clean(numbers)) | {"prompt_table": prompt_table(material, packed, columns, opened)},
        says={"answer": said, "advice": [say(i, item) for i, item in enumerate(advice)]},
        drawn=drawn,
        files=("svg", *formats),
        table=packed | {"advice_names": [item["title"] for item in advice]},
        details=pack_blocks(opened),
        rollouts=shown,
    )


def hard_samples(material: Material, samples: list[Sample]) -> list[Sample]:
    """Of the final evaluation's samples those of hard prompts."""
    wanted = np.isin(material.groups, HARD)
    return [sample for sample in samples if wanted[sample.row]]


LABELS = (
    "learnable_means",
    "improved_by",
    "expected_improved",
    "learnable_by_chance",
    "learned_without_reward",
    "unlearnable_not_visited",
)  # what classify says of its labels that sentences depend on


def _before(material: Material, args) -> dict:
    """What an earlier analysis into the same folder wrote into its summary."""
    own = args.output / "summary.json" if args.output else None
    summary = material.summary if own is None else Summary(read_object(own) if own.exists() else {})
    return summary.report


def _numbers(material: Material, args, missing: list[Missing]) -> dict:
    table = group_table(material)
    visits = material.visits
    steps = np.unique(visits.step)
    classified = material.summary.classify
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join(["openrlhf-unlearn", "analyze", *map(str, args.runs), *_flags(args)]),
        "runs": [str(run) for run in material.runs],
        "provisional": material.provisional,
        "prompts": material.size,
        "labelled": sum(row["prompts"] for row in table.values()),
        "hard": sum(table[group]["prompts"] for group in HARD if group in table),
        "tau": material.tau,
        "easy": material.easy,
        "groups": table,
        "training": {
            "steps": len(steps),
            "last_step": int(steps[-1]) if len(steps) else None,
            "visits": len(visits.step),
            "rollouts": int(visits.n.sum()),
        },
        "outlook": outlook(material),
        "evaluations": {tag: _evaluation(material, tag) for tag in material.tags},
        "labels": {} if material.provisional else {name: classified.get(name) for name in LABELS},
        "expected_label_errors": material.summary.classify.get("expected_label_errors"),
        "agreement": material.summary.classify.get("agreement", {}).get("fleiss_kappa"),
        "missing": [vars(item) for item in missing],
    }


def _flags(args) -> list[str]:
    """The flags that decide what the page shows, where they are not the defaults."""
    flags = [f"--{name}={getattr(args, name)}" for name in ("tau", "easy") if getattr(args, name) != 0.1]
    flags += [f"--threshold={args.threshold}"] if args.threshold is not None else []
    flags += [f"--output={args.output}"] if args.output else []
    return flags + [f"--{name.replace('_', '-')}" for name in ("allow_uneven", "compare") if getattr(args, name)]


def _evaluation(material: Material, tag: str) -> dict:
    tally = material.tally(tag)
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


def _save_prompts(path: Path, material: Material, columns: dict, changes: list[Changes]) -> dict:
    """Every prompt's numbers beside the page, for a spreadsheet."""
    data = {"prompt_id": material.ids.to_pylist(), "group": list(material.groups)}
    for number, change in enumerate(changes, 1):
        data[f"change_{number}"] = [KINDS[kind] if kind >= 0 else "" for kind in change.kind]
    data |= {name: plain(values, digits=6) for name, values in columns.items()}
    write_csv(path, data)
    return {"file": str(path), "rows": material.size, "columns": list(data)}


def prompt_table(material, shown: dict, numbers, opened: list[dict]) -> dict[str, list]:
    """What the page shows of single prompts, texts left out, by columns with one entry a prompt.

    curve: [run, step, rollouts, correct ones, mean reward] of each visit; near and far: [row of this table, cosine];
    shown: [source, file, sample, reward, verdict, characters left out] of each rollout that the page holds; failures:
    a bit for each of the report's kinds of failure; change_1, …: of each compared run, a place in changes.KINDS, or -1.
    """
    parts = {name: [entry.get(name, []) for entry in opened] for name in ("curve", "near", "far")}
    parts["shown"] = [[[*row[:5], row[7]] for row in entry.get("rollouts", [])] for entry in opened]
    columns = {name: shown[name] for name in shown if name in numbers or name.startswith(("change_", "cause"))}
    bits = {"failures": shown["failures"]}
    return {"prompt_id": shown["id"], "group": list(material.groups), **columns, **bits, **parts}


def clean(value):
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
