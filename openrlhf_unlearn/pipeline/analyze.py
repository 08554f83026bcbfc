"""`openrlhf-unlearn analyze RUN [RUN …]`: what is missing of evaluate, classify and probe, then the report.

    openrlhf-unlearn analyze RUN                        everything, then RUN/report/report.html
    openrlhf-unlearn analyze RUN_1 RUN_2 RUN_3          repetitions of one run: pooled, labels where they agree
    openrlhf-unlearn analyze RUN_A RUN_B --compare      interventions side by side, paired by prompt
    openrlhf-unlearn analyze RUN --watch                while training runs: the page is made again as steps come in
    openrlhf-unlearn analyze RUN --output DIR           of a run that cannot be written, or should stay as it is
    openrlhf-unlearn analyze RUN --offline --format md  only what is there, as Markdown for a pull request

A run that lacks something gets a page all the same, which names what is missing and the command that gets it.
"""

import argparse
import contextlib
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.pipeline.complete import complete
from openrlhf_unlearn.report.figures.base import FILES
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir, as_json, atomic_path, update_summary, write_json
from openrlhf_unlearn.store.trust import add_remote_code, add_trust_run


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
    add("--output", type=Path, metavar="DIR", help="put the report there, and write nothing into the runs")
    add_trust_run(parser)
    add_remote_code(parser)
    add("--format", choices=["html", "json", "md"], default="html", help="what is printed; the page is always written")


def run(args: argparse.Namespace) -> int:
    check(args)
    if args.watch:
        from openrlhf_unlearn.pipeline.watch import watch

        return watch(args)
    with contextlib.redirect_stdout(sys.stderr):  # what other verbs say is not the report
        report = analyze(args)
    if args.format == "json":
        print(as_json(report.numbers))
        return 0
    from openrlhf_unlearn.report.markdown import as_markdown

    print(as_markdown(report))
    if args.format == "html":
        print(f"\nreport: {page(args)}")
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
    if args.offline or args.output:
        args.no_evaluate = args.no_probe = True


def page(args: argparse.Namespace) -> Path:
    return (args.output / "report.html") if args.output else RunDir(args.runs[0]).report


def analyze(args: argparse.Namespace, live: int | None = None):
    """Complete the runs, write summary.json and the page into each (with --compare the first); returns the Report."""
    runs = [RunDir.open(path) for path in args.runs]
    pooled = runs[:1] if args.compare else runs
    folders = [args.output] if args.output else [run.report.parent for run in pooled]
    with ExitStack() as locks:
        try:
            for folder in sorted(folders):
                locks.enter_context(hold(folder, "analyze"))
        except UserError as error:
            if args.output or "cannot write" not in str(error):
                raise
            raise UserError(f"{error}; --output DIR puts the report there and writes nothing into the run") from None
        return _analyze(runs, pooled, args, live)


def _analyze(runs: list[RunDir], pooled: list[RunDir], args: argparse.Namespace, live: int | None):
    from openrlhf_unlearn.report.build import build
    from openrlhf_unlearn.report.material import Material, check_same_prompts
    from openrlhf_unlearn.report.page import write_page

    check_same_prompts(runs, args.compare)
    missing, labels = complete(runs, args)
    material = Material(pooled, args.tau, args.easy, compared=runs if args.compare else ())
    if args.output and labels:
        material.learnability = labels.table
        material.summary = {**material.summary, "classify": labels.summary}
    report = build(material, args, missing, args.figure_files, page(args).parent)
    write_page(page(args), report, material, live)
    if args.output:
        write_json(args.output / "summary.json", {"report": report.numbers})
        return report
    for run in pooled:
        update_summary(run, "report", report.numbers)
        if run is not runs[0]:
            _copy(runs[0].report.parent, run.report.parent)
    return report


def _copy(source: Path, target: Path) -> None:
    """The report's files into another folder; a link that lies in their place is replaced, not followed."""
    for path in source.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            with atomic_path(target / path.relative_to(source)) as aside:
                shutil.copyfile(path, aside)
