"""From runs to a report: every number into one dict, every figure drawn, the page's data packed."""

import shlex
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.report.advice import advise, consensus_answers, save_lists
from openrlhf_unlearn.report.answer import answer
from openrlhf_unlearn.report.browser import details, number_columns, pack_blocks, plain, shown_rollouts, table
from openrlhf_unlearn.report.compare import comparison
from openrlhf_unlearn.report.figures import all_figures
from openrlhf_unlearn.report.figures.base import remove, render, write_csv
from openrlhf_unlearn.report.groups import HARD, group_table
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.missing import Missing
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.report.outlook import outlook
from openrlhf_unlearn.report.probes import outliers, separation
from openrlhf_unlearn.report.rollouts import HEAD, TAIL
from openrlhf_unlearn.store.run_dir import read_json, read_object


@dataclass
class Report:
    """`numbers` is what summary.json keeps under "report"; the rest is what the page is made of beside it."""

    numbers: dict
    says: dict[str, list[Say]] = field(default_factory=dict)
    drawings: dict[str, str] = field(default_factory=dict)  # figure → SVG
    captions: dict[str, Say] = field(default_factory=dict)
    files: tuple = ()  # suffixes of the figures' files
    undrawn: list = field(default_factory=list)
    table: dict = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    rollouts: dict = field(default_factory=dict)


def build(material: Material, args, missing: list[Missing], formats, folder: Path) -> Report:
    """`folder`: where figures, lists and prompts.csv go."""
    outlying = outliers(material)
    shown, final = shown_rollouts(material)
    hard = np.isin(material.groups, HARD)
    answers = consensus_answers(material, [sample for sample in final if hard[sample[0]]])
    advice = [] if material.provisional else advise(material, outlying, answers)
    report = Report(numbers=_numbers(material, args, missing), files=("svg", *formats))
    report.numbers["advice"] = save_lists(advice, material, folder / "lists", material.runs, _before(material, args))
    report.numbers["similarity"] = separation(material)
    report.says["advice"] = [item["say"] for item in advice]
    report.says["answer"] = answer(report.numbers, material, report.numbers["similarity"])
    report.numbers["answer"] = [say.as_dict() for say in report.says["answer"]]
    report.numbers["compare"] = comparison(material) if material.compared else None
    _draw(report, material, folder, formats)
    columns = number_columns(material)
    report.table = table(material, columns, advice, shown) | {"advice_names": [item["title"] for item in advice]}
    opened = details(material, shown)
    report.details = pack_blocks(opened)
    report.rollouts = shown
    report.numbers["shown"] = {"prompts": len(shown), "characters": HEAD + TAIL}
    report.numbers["prompts_file"] = _save_prompts(folder / "prompts.csv", material, columns)
    report.numbers = masked(clean(report.numbers)) | {
        "prompt_table": prompt_table(material, report.table, columns, opened)
    }
    return report


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
    summary = material.summary if own is None else read_object(own) if own.exists() else {}
    return summary.get("report") or {}


def _numbers(material: Material, args, missing: list[Missing]) -> dict:
    table = group_table(material)
    visits = material.visits
    steps = np.unique(visits.step)
    classified = material.summary.get("classify", {})
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
        "expected_label_errors": material.summary.get("classify", {}).get("expected_label_errors"),
        "agreement": material.summary.get("classify", {}).get("agreement", {}).get("fleiss_kappa"),
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
    about = read_json(run.evaluation_json(tag)) if run.evaluation_json(tag).exists() else {}
    return {
        "prompts": int((tally.n > 0).sum()),
        "samples": int(tally.n.sum()),
        "pass_rate": float(np.nanmean(tally.rate)) if (tally.n > 0).any() else 0.0,
        "adaptive": tally.adaptive,
        "model": about.get("model"),
        "temperature": about.get("temperature"),
    }


def _draw(report: Report, material: Material, folder: Path, formats) -> None:
    report.numbers["figures"] = {}
    for spec in all_figures():
        try:
            data = spec.data(material)
        except UserError as error:  # one file that cannot be read is no reason to show nothing
            report.numbers["missing"].append({"what": spec.title, "why": str(error), "command": spec.needs})
            data = None
        if data is None:
            remove(spec, folder)
            if not spec.name.startswith("compared") or material.compared:
                report.undrawn.append(spec)
            continue
        template, numbers = spec.caption(material, data)
        say = Say(template, numbers, f"figures.{spec.name}")
        report.captions[spec.name] = say
        report.drawings[spec.name] = render(spec, data, folder, formats)
        report.numbers["figures"][spec.name] = {"title": spec.title, **say.as_dict(), "data": data}


def _save_prompts(path: Path, material: Material, columns: dict) -> dict:
    """Every prompt's numbers beside the page, for a spreadsheet."""
    data = {"prompt_id": material.ids.to_pylist(), "group": list(material.groups)}
    data |= {name: plain(values, digits=6) for name, values in columns.items()}
    write_csv(path, data)
    return {"file": str(path), "rows": material.size, "columns": list(data)}


def prompt_table(material, shown: dict, numbers, opened: list[dict]) -> dict[str, list]:
    """What the page shows of single prompts, texts left out, by columns with one entry a prompt.

    curve: [run, step, rollouts, correct ones, mean reward] of each visit; near and far: [row of this table, cosine];
    shown: [source, file, sample, reward, verdict, characters left out] of each rollout that the page holds.
    """
    parts = {name: [entry.get(name, []) for entry in opened] for name in ("curve", "near", "far")}
    parts["shown"] = [[[*row[:5], row[7]] for row in entry.get("rollouts", [])] for entry in opened]
    columns = {name: shown[name] for name in numbers}
    return {"prompt_id": shown["id"], "group": list(material.groups), **columns, **parts}


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
