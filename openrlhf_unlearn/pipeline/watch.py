"""`analyze --watch`: the page while training runs. It is made again when a step was written, and loads itself again.

Nothing is sampled and no file of training is touched, so it can run beside training or on a copy of the directory.
"""

import time
from dataclasses import replace

from openrlhf_unlearn.errors import UserError, command
from openrlhf_unlearn.pipeline.analyze import make_report, page
from openrlhf_unlearn.report.options import AnalyzeOptions
from openrlhf_unlearn.store.run_dir import RunDir


def watch(options: AnalyzeOptions) -> None:
    options = replace(options, figure_files=())
    seen = None
    try:
        while True:
            now = [state(RunDir(path)) for path in options.runs]
            if now != seen and all(run_json for run_json, *_ in now):
                seen = now
                refresh(options)
            elif seen is None:
                print(f"waiting for {options.runs[0]}", flush=True)
            time.sleep(options.every)
    except KeyboardInterrupt:
        print(f"stopped watching; for the finished report: {command('analyze', *options.runs)}")


def refresh(options: AnalyzeOptions) -> None:
    """One new page; a file that training is just replacing is no reason to stop watching."""
    try:
        report = make_report(options, live=options.every)
    except UserError as error:
        print(f"not yet: {error}", flush=True)
        return
    numbers = report.numbers
    groups = ", ".join(f"{name} {row['prompts']}" for name, row in numbers["groups"].items())
    expected = ", ".join(
        f"{name} {row['prompts'] * row['expected']:.0f} of {row['prompts']}"
        for name, row in ((numbers["outlook"] or {}).get("groups") or {}).items()
    )
    if expected:
        print(f"expected not to be learned by the end: {expected}")
    print(
        f"step {numbers['training']['last_step'] or 0}: {groups or 'no prompt yet'}; {page(options)}",
        flush=True,
    )


def state(run: RunDir) -> tuple:
    """What has to change for a new page: the run is there, its steps, evaluations, labels."""
    return run.run_json.exists(), run.steps(), run.evaluation_tags(), run.learnability.exists()
