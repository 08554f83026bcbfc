"""`openrlhf-unlearn analyze RUN [RUN …]`: what is missing of evaluate, classify and probe, then the report.

    openrlhf-unlearn analyze RUN                        everything, then RUN/report/report.html
    openrlhf-unlearn analyze RUN_1 RUN_2 RUN_3          repetitions of one run: pooled, labels where they agree
    openrlhf-unlearn analyze RUN_A RUN_B --compare      interventions side by side, paired by prompt
    openrlhf-unlearn analyze RUN --watch                while training runs: the page is made again as steps come in
    openrlhf-unlearn analyze RUN --output DIR           of a run that cannot be written, or should stay as it is
    openrlhf-unlearn analyze RUN --offline --format md  only what is there, as Markdown for a pull request

A run that lacks something gets a page all the same, which names what is missing and the command that gets it.
"""

import contextlib
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.options import takes
from openrlhf_unlearn.pipeline.complete import complete, diagnosed
from openrlhf_unlearn.report.options import AnalyzeOptions
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import (
    RunDir,
    as_json,
    atomic_path,
    holds_files,
    read_object,
    refuse_links,
    update_summary,
    write_json,
)
from openrlhf_unlearn.store.summary import Summary
from openrlhf_unlearn.store.trust import allow_remote_code

if TYPE_CHECKING:
    from openrlhf_unlearn.report.build import Report

OPTIONS = AnalyzeOptions


def run(options: AnalyzeOptions) -> None:
    if options.watch:
        from openrlhf_unlearn.pipeline.watch import watch

        watch(options)
        return
    with contextlib.redirect_stdout(sys.stderr):  # what is said on the way is not the report
        report = analyze(options)
    if options.format == "json":
        print(as_json(report.numbers))
        return
    from openrlhf_unlearn.report.markdown import as_markdown

    print(as_markdown(report.numbers))
    if options.format == "html":
        print(f"\nreport: {page(options)}")


def page(options: AnalyzeOptions) -> Path:
    report = RunDir(options.runs[0]).report
    return options.output / report.name if options.output else report


@takes(AnalyzeOptions)
def analyze(options: AnalyzeOptions) -> "Report":
    """Complete the runs, write summary.json and the page into each (with --compare the first); returns the Report.

    Raises UserError for runs that cannot be read, do not belong together or cannot be written.
    """
    return make_report(options)


def make_report(options: AnalyzeOptions, live: int | None = None) -> "Report":
    """live: seconds after which the page loads itself again."""
    allow_remote_code(options.trust_remote_code)
    runs = [RunDir.open(path) for path in options.runs]
    pooled = runs[:1] if options.compare else runs
    folders = [options.output] if options.output else [run.report.parent for run in pooled]
    refuse_links(*(folder / "lists" for folder in folders))
    if not options.output:
        refuse_links(*folders, *(run.cause_lists for run in pooled))
    with ExitStack() as locks:
        try:
            for folder in sorted(folders):
                locks.enter_context(hold(folder, "analyze"))
        except UserError as error:
            if options.output or "cannot write" not in str(error):
                raise
            raise UserError(f"{error}; --output DIR puts the report there and writes nothing into the run") from None
        if options.output:
            _check_output(options.output)
        return _analyze(runs, pooled, options, live)


def _analyze(runs: list[RunDir], pooled: list[RunDir], options: AnalyzeOptions, live: int | None) -> "Report":
    from openrlhf_unlearn.report.build import build
    from openrlhf_unlearn.report.material import Material, check_same_prompts
    from openrlhf_unlearn.report.write import write

    check_same_prompts(runs, options.compare)
    _check_readable(runs)
    missing, labels = complete(runs, options)
    compared = runs if options.compare else ()
    earlier = {} if labels or not pooled[0].learnability.exists() else Summary.read(pooled[0]).classify
    tau, easy = earlier.get("tau", options.tau), earlier.get("easy", options.easy)
    material = Material(pooled, tau, easy, compared=compared, threshold=options.threshold)
    if options.output and labels:
        material.learnability = Learnability(labels.table)
        material.summary = material.summary.changed(classify=labels.summary)
        material.causes = diagnosed(pooled, material)
    last = Summary.read(RunDir(options.output)) if options.output else material.summary
    report = build(material, options, missing, page(options).parent, live)
    if options.output and not last.values:  # from now on the folder is known as a report's, also if it is stopped
        write_json(RunDir(options.output).summary, {"report": {}})
    write(page(options), report, material, last, options.figure_files)
    if options.output:
        write_json(RunDir(options.output).summary, {"report": report.numbers})
        return report
    for run in pooled:
        update_summary(run, "report", report.numbers)
        if run is not runs[0]:
            _copy(runs[0].report.parent, run.report.parent)
    return report


def _check_output(folder: Path) -> None:
    """Raise UserError where a report would take the place of files that are of no report alone."""
    if RunDir(folder).run_json.exists():
        raise UserError(f"{folder} is a run, whose own report and summary.json would be lost; choose another --output")
    summary = Summary.read(RunDir(folder)).values
    if holds_files(folder) and summary.keys() != {"report"}:
        raise UserError(f"{folder} holds files that are no report's; choose another --output, or empty the folder")


def _check_readable(runs: list[RunDir]) -> None:
    """Raise UserError at what an evaluation says of itself and cannot be read, before anything is made anew."""
    for run in runs:
        for tag in run.evaluation_tags():
            if run.evaluation_json(tag).exists():
                read_object(run.evaluation_json(tag))


def _copy(source: Path, target: Path) -> None:
    """The report's files into another folder; a link in their place is replaced, one among them left out."""
    for path in source.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            with atomic_path(target / path.relative_to(source)) as aside:
                shutil.copyfile(path, aside)
