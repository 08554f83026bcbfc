"""`import FORMAT SOURCE --run RUN --follow`: a trainer's files, a file a step, recorded as they appear.

It works for every format whose files name their step, needs no change of the trainer, and can be stopped and started
at any time: a step whose file is newer than what was recorded of it is read again, whole.
"""

import time
from pathlib import Path

from openrlhf_unlearn.errors import UserError, command, counted
from openrlhf_unlearn.exchange.files import find_files
from openrlhf_unlearn.exchange.formats.base import Format
from openrlhf_unlearn.exchange.live.writer import LiveWriter
from openrlhf_unlearn.exchange.options import ImportOptions
from openrlhf_unlearn.exchange.reading import Reader
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Rewards


def follow(run: RunDir, form: Format, options: ImportOptions) -> None:
    """Until Ctrl-C: record every file that is whole; look again every `options.follow` seconds.

    Raises UserError where another command records the run: two would count every rollout twice.
    """
    with hold(run.path, "import --follow"):
        _follow(run, form, options)


def _follow(run: RunDir, form: Format, options: ImportOptions) -> None:
    writer = LiveWriter(run.path, options.model, options.threshold, options.save_rollouts, form.name)
    reader, sizes = Reader(form, options.named_columns(), False, None), {}
    print(f"following {options.source} into {run}; Ctrl-C stops, the same command goes on", flush=True)
    try:
        while True:
            sizes = look(run, reader, options.source, writer, sizes)
            time.sleep(options.follow or 0.0)
    except KeyboardInterrupt:
        print(f"{run}: {counted(len(run.steps()), 'step')}; for the report: {command('analyze', run)}")


def look(run: RunDir, reader: Reader, source: str, writer: LiveWriter, before: dict[Path, int]) -> dict[Path, int]:
    """Record the steps whose files are whole and newer than what was recorded; returns each file's size.

    A file is whole once its size has stayed the same between two looks, the last of which gave `before`.
    """
    form = reader.form
    try:
        files = form.select(find_files(source, form.training), False)
    except UserError:
        return {}  # nothing is written yet
    sizes = {path: path.stat().st_size for path in files}
    steps: dict[int, list[Path]] = {}
    for path in sorted(path for path in files if not form.processed(path)):
        step = form.step_of(path)
        if step is None:
            raise UserError(f"{path} does not name its step; --follow needs a file a step: import it when it is done")
        steps.setdefault(step, []).append(path)
    for step, paths in sorted(steps.items()):
        whole = all(before.get(path) == sizes[path] for path in paths)
        if not whole or not any(_newer(path, run.step_file(Rewards.folder, step)) for path in paths):
            continue
        rollouts = [rollout for path in paths for rollout in reader.read(path)]
        for table in ("rewards", "rollouts"):
            run.step_file(table, step).unlink(missing_ok=True)
        writer.add(step, rollouts)
        writer.close()
        print(f"step {step}: {counted(len(rollouts), 'rollout')}", flush=True)
    return sizes


def _newer(path: Path, written: Path) -> bool:
    return not written.exists() or path.stat().st_mtime > written.stat().st_mtime
