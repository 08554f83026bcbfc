"""`openrlhf-unlearn analyze RUN [RUN …]`: what is missing of evaluate, classify and probe, then the report.

    openrlhf-unlearn analyze RUN                        everything, then RUN/report/report.html
    openrlhf-unlearn analyze RUN_1 RUN_2 RUN_3          repetitions of one run: pooled, labels where they agree
    openrlhf-unlearn analyze RUN_A RUN_B --compare      interventions side by side, paired by prompt
    openrlhf-unlearn analyze RUN --watch                while training runs: the page is made again as steps come in
    openrlhf-unlearn analyze RUN --offline --format md  only what is there, as Markdown for a pull request

A run that lacks something gets a page all the same, which names what is missing and the command that gets it.
"""

import argparse
import contextlib
import shutil
import sys

from openrlhf_unlearn.errors import UsageError
from openrlhf_unlearn.report.figures.base import FILES
from openrlhf_unlearn.report.missing import complete
from openrlhf_unlearn.run_dir import RunDir, as_json, update_summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run directories of the same data and model")
    add("--tau", type=float, default=0.1, help="final pass@1 below which a hard prompt is unlearnable")
    add("--easy", type=float, default=0.1, help="initial pass@1 from which a prompt is easy")
    add("-n", type=int, default=32, help="samples a prompt where an evaluation is missing")
    add("--threshold", type=float, help="reward above which a sample is positive, if rewards are not binary")
    add("--allow-uneven", action="store_true", help="accept uneven sample counts")
    add("--no-evaluate", action="store_true", help="never sample")
    add("--no-probe", action="store_true", help="never compute gradients")
    add("--offline", action="store_true", help="use no model at all: --no-evaluate --no-probe")
    add("--compare", action="store_true", help="the runs are interventions: set them side by side, groups by the first")
    add("--watch", action="store_true", help="make the page again while training writes steps, until Ctrl-C")
    add("--every", type=int, default=30, metavar="SECONDS", help="--watch: how often")
    add("--figure-files", nargs="*", choices=FILES, default=FILES, help="what each figure is written as, beside SVG")
    add("--format", choices=["html", "json", "md"], default="html", help="what is printed; the page is always written")


def run(args: argparse.Namespace) -> int:
    check(args)
    if args.watch:
        from openrlhf_unlearn.report.watch import watch

        return watch(args)
    with contextlib.redirect_stdout(sys.stderr):  # what other verbs say is not the report
        report = analyze(args)
    if args.format == "json":
        print(as_json(report.numbers))
        return 0
    from openrlhf_unlearn.report.markdown import as_markdown

    print(as_markdown(report))
    if args.format == "html":
        print(f"\nreport: {RunDir(args.runs[0]).report}")
    return 0


def check(args: argparse.Namespace) -> None:
    for name in ("tau", "easy"):
        if not 0 < getattr(args, name) <= 1:
            raise UsageError(f"--{name} {getattr(args, name)}: a pass rate above 0 and at most 1")
    if args.compare and len(args.runs) < 2:
        raise UsageError("--compare needs at least two runs: openrlhf-unlearn analyze RUN_A RUN_B --compare")
    if args.every < 1:
        raise UsageError(f"--every {args.every}: at least 1 second")
    if args.watch and args.compare:
        raise UsageError("--watch follows training, --compare needs it finished; use one of them")
    if args.offline:
        args.no_evaluate = args.no_probe = True


def analyze(args: argparse.Namespace, live: int | None = None):
    """Complete the runs, write summary.json and the page into each (with --compare the first); returns the Report."""
    from openrlhf_unlearn.report.build import build
    from openrlhf_unlearn.report.material import Material, check_same_prompts
    from openrlhf_unlearn.report.page import write_page

    runs = [RunDir.open(path) for path in args.runs]
    check_same_prompts(runs, args.compare)
    missing = complete(runs, args)
    pooled = runs[:1] if args.compare else runs
    material = Material(pooled, args.tau, args.easy, compared=runs if args.compare else ())
    report = build(material, args, missing, args.figure_files)
    write_page(runs[0].report, report, material, live)
    for run in pooled:
        update_summary(run, "report", report.numbers)
        if run is not runs[0]:
            shutil.copytree(runs[0].report.parent, run.report.parent, dirs_exist_ok=True)
    return report
