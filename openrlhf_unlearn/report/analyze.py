"""`openrlhf-unlearn analyze RUN [RUN …]`: what is missing of evaluate, classify and probe, then the report."""

import argparse
import shlex
from pathlib import Path

import numpy as np

from openrlhf_unlearn import cli
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.report.curves import draw_curves, group_of, reward_curves
from openrlhf_unlearn.report.page import answer, percent, rate, write_page
from openrlhf_unlearn.report.palette import GROUP_NAMES
from openrlhf_unlearn.run_dir import GROUPS, RunDir, read_json, read_table, write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run directories of the same data and model")
    add("--tau", type=float, default=0.1, help="final pass@1 below which a hard prompt is unlearnable")
    add("--easy", type=float, default=0.1, help="initial pass@1 from which a prompt is easy")
    add("-n", type=int, default=32, help="samples a prompt where an evaluation is missing")
    add("--no-evaluate", action="store_true", help="never sample; report what is there")
    add("--format", choices=["html", "json", "md"], default="html", help="json, md: print the summary instead")


def _evaluate_if_missing(run: RunDir, tag: str, model: str | None, args) -> str | None:
    """Sample what is missing; None, or why it is still missing."""
    if tag in run.evaluation_tags():
        return None
    command = f"openrlhf-unlearn evaluate --model {model or 'MODEL'} --tag {tag} --run {run}"
    if args.no_evaluate or not model or not Path(model).exists():
        return f"The {tag} evaluation: {command}"
    if cli.main(["evaluate", "--model", model, "--tag", tag, "--run", str(run), "-n", str(args.n)]):
        raise UserError(f"the {tag} evaluation failed (see above); run it alone: {command}")
    return None


def evaluate_missing(run: RunDir, args) -> list[str]:
    config = run.config().get("args") or {}
    models = {
        "initial": (config.get("actor") or {}).get("model_name_or_path"),
        "final": (config.get("ckpt") or {}).get("output_dir"),
    }
    missing = (_evaluate_if_missing(run, tag, model, args) for tag, model in models.items())
    return [text for text in missing if text]


def summarise(run: RunDir, args, missing: list[str]) -> dict:
    """Every number that the page shows."""
    table = read_table(run.learnability)
    groups = np.array(table["group"].to_pylist())
    hard = int(np.isin(groups, ("learnable", "unlearnable", "no_reward", "mixed")).sum())
    rows = []
    for group in GROUPS:
        mine = groups == group
        if not mine.any():
            continue
        means = {}
        for column in ("initial_pass_rate", "final_pass_rate"):
            values = table[column].to_numpy(zero_copy_only=False)[mine].astype(float)
            means[column] = float(np.nanmean(values)) if np.isfinite(values).any() else None
        share = int(mine.sum()) / hard if hard and group not in ("easy", "ungradable") else None
        rows.append({"group": group, "prompts": int(mine.sum()), "share_of_hard": share, **means})
    return {
        "prompts": len(groups),
        "hard": hard,
        "tau": args.tau,
        "easy": args.easy,
        "groups": rows,
        "curves": reward_curves(run, group_of(run)),
        "missing": missing,
        "command": shlex.join(["openrlhf-unlearn", "analyze", *map(str, args.runs)]),
    }


def save_summary(run: RunDir, report: dict) -> None:
    known = read_json(run.summary) if run.summary.exists() else {}
    write_json(run.summary, {**known, "report": report})


def as_markdown(report: dict) -> str:
    lines = [
        *answer(report),
        "",
        "| group | prompts | share of hard | pass@1 before | pass@1 after |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in report["groups"]:
        cells = (percent(row["share_of_hard"]), rate(row["initial_pass_rate"]), rate(row["final_pass_rate"]))
        lines.append(f"| {GROUP_NAMES[row['group']]} | {row['prompts']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    runs = [RunDir.open(path) for path in args.runs]
    missing = {str(run): evaluate_missing(run, args) for run in runs}
    if any(missing.values()):
        raise UserError("; ".join(text for texts in missing.values() for text in texts))
    if cli.main(["classify", *map(str, args.runs), "--tau", str(args.tau), "--easy", str(args.easy)]):
        return 1
    for run in runs:
        report = summarise(run, args, [])
        save_summary(run, report)
        svg = draw_curves(report["curves"], run.report.parent) if report["curves"] else None
        write_page(run.report, report, svg, run.config())
        if args.format == "json":
            print(run.summary.read_text())
        else:
            print(as_markdown(report))
            print(f"\nreport: {run.report}")
    return 0
