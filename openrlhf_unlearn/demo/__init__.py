"""`openrlhf-unlearn demo`: what you would get, from a run that is in the package; no GPU, no torch, no download.

    openrlhf-unlearn demo                    unpacks the run into ./openrlhf-unlearn-demo and opens its report
    openrlhf-unlearn demo FOLDER --no-open

It says where the run comes from, then classifies and reports it by the same commands that you would use.
"""

import os
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UserError, command
from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir

RECORDING = Path(__file__).with_name("run.zip")
DEFAULT = "openrlhf-unlearn-demo"


@dataclass(frozen=True)
class DemoOptions(Options):
    """Where the demo goes."""

    folder: str = option(
        "run directory to unpack into; an earlier demo there is used again", DEFAULT, positional=True, nargs="?"
    )
    no_open: bool = option("only print the report's path; without a display nothing is opened", False)


OPTIONS = DemoOptions


def run(options: DemoOptions) -> None:
    from openrlhf_unlearn.demo.recording import unpack
    from openrlhf_unlearn.labels import classify
    from openrlhf_unlearn.pipeline import analyze

    recorded = RunDir(options.folder)
    if not recorded.run_json.exists():
        if recorded.path.exists() and (not recorded.path.is_dir() or any(recorded.path.iterdir())):
            raise UserError(f"{recorded} is there and no demo; choose another folder: openrlhf-unlearn demo FOLDER")
        unpack(RECORDING, recorded.path)
    elif not recorded.config().recorded:
        raise UserError(f"{recorded} is a run of your own; choose another folder: openrlhf-unlearn demo FOLDER")
    prompts, steps = len(Prompts.ids(recorded)), len(recorded.steps())
    print(f"{recorded}: {recorded.config().recorded}; {prompts} prompts, {steps} steps", flush=True)
    print(f"\n$ {command('classify', options.folder)}", flush=True)
    classify.run(classify.ClassifyOptions((options.folder,)))
    print(f"\n$ {command('analyze', options.folder, '--offline', '--figure-files')}", flush=True)
    analyze.run(analyze.AnalyzeOptions((options.folder,), offline=True, figure_files=()))
    opened = not options.no_open and has_display() and webbrowser.open(recorded.report.absolute().as_uri())
    print(f"\nThe report{' is opened' if opened else ', for your browser'}: {recorded.report.absolute()}")
    print("For a run of your own: openrlhf-unlearn analyze RUN; of another framework: openrlhf-unlearn import --help")


def has_display() -> bool:
    """Whether a browser would open a window; without one, some open in the terminal and hold it."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
