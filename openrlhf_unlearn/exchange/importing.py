"""`openrlhf-unlearn import FORMAT SOURCE --run RUN`: other frameworks' rollouts become a run directory.

    openrlhf-unlearn import verl rollouts/ --run RUN                         training rollouts: rewards of every step
    openrlhf-unlearn import verl validation/0.jsonl --run RUN --tag initial  an evaluation
    openrlhf-unlearn import trl OUTPUT_DIR/ --run RUN --columns reward=accuracy_reward
    openrlhf-unlearn import prime-rl OUTPUT_DIR/ --run RUN
    openrlhf-unlearn import paper prompt_reward_stats.csv --run RUN
    openrlhf-unlearn import paper 'results/*.json' --run RUN --tag final
    openrlhf-unlearn import jsonl 'dumps/**/*.jsonl.zst' --run RUN --tag final --columns prompt=q,reward=ok,id=qid
    openrlhf-unlearn import verl rollouts/ --run RUN --follow                while it trains: files as they appear
    openrlhf-unlearn import auto OUTPUT_DIR/ --run RUN                       by what the first file looks like

Without --tag the files are training rollouts, which tell `no_reward` from `unlearnable`; with --tag one evaluation.
After an initial and a final one: openrlhf-unlearn classify RUN. Files are JSON lines or lists, CSV, Parquet or torch's
.pt (loaded without running code), plain or as .gz or .zst; a row is a rollout, or a prompt with lists of responses and
rewards. A prompt's id comes from its text and label, or, where the files name their prompts (`id`), from that name: so
runs imported in any order agree. Rollouts without a reward (null, nan) are left out and counted. Everything is read
before anything is written, and all is written or nothing. docs/other_frameworks.md says, for each framework, which
flag makes it write.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError, counted
from openrlhf_unlearn.exchange.files import find_files
from openrlhf_unlearn.exchange.formats import FORMATS, Format, guess
from openrlhf_unlearn.exchange.options import ImportOptions
from openrlhf_unlearn.exchange.prompts import Prompts
from openrlhf_unlearn.exchange.reading import Reader
from openrlhf_unlearn.exchange.writing import import_csv, import_evaluation, import_training
from openrlhf_unlearn.options import takes
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.run_dir import RunDir, holds_files

OPTIONS = ImportOptions


@dataclass(frozen=True)
class Imported:
    """run: what was written into; written: what that was, in words; prompts: known now; notes: what a reader should
    know of the files."""

    run: RunDir
    written: str
    prompts: int
    notes: tuple[str, ...]


def run(options: ImportOptions) -> None:
    if options.format == "auto":
        options = replace(options, format=guess(options.source))
        print(f"{options.source}: taken for {options.format} ({FORMATS[options.format].checked})")
    if options.follow is not None:
        from openrlhf_unlearn.exchange.live.follow import follow

        follow(RunDir(options.run), FORMATS[options.format], options)
        return
    found = import_runs(options)
    print(f"{found.run}: {found.written}; {counted(found.prompts, 'prompt')} known")
    for note in found.notes:
        print(f"note: {note}")


@takes(ImportOptions)
def import_runs(options: ImportOptions) -> Imported:
    """Write a framework's files as steps, or as an evaluation, of a run directory.

    Raises UserError for files that cannot be read, hold nothing or do not belong together; nothing is written then.
    """
    if options.format == "auto":
        options = replace(options, format=guess(options.source))
    run_dir = RunDir(options.run)
    with ExitStack() as locks:  # of what is written: steps or an evaluation, and the prompts
        locks.enter_context(hold(run_dir.evaluation(options.tag) if options.tag else run_dir.path, "import"))
        locks.enter_context(hold(run_dir.prompts, "import", wait_s=SHORT_S))
        return _import(_open(run_dir, options), options)


def _import(run_dir: RunDir, options: ImportOptions) -> Imported:
    prompts = Prompts(run_dir)
    source, form, tag = Path(options.source), FORMATS[options.format], options.tag
    if options.format == "paper" and source.suffix == ".csv":
        if tag:
            raise UsageError("--tag: a prompt_reward_stats.csv holds training rewards, no evaluation")
        return Imported(run_dir, import_csv(run_dir, source, prompts), len(prompts.rows), tuple(prompts.told()))
    if form.evaluations_only and not tag:
        raise UsageError(f"{form.name} writes evaluations, not training rollouts: give --tag initial, final, …")
    files = _files(options.source, form, bool(tag))
    columns = options.named_columns()
    if tag and options.step is None and form.name == "jsonl":
        columns = {"step": "", **columns}  # such a file may count the steps of something else
    reader = Reader(form, columns, bool(tag), _decoder(options.tokenizer))
    write = import_evaluation if tag else import_training
    written = write(run_dir, options, _rollouts(files, reader), reader, prompts)
    return Imported(run_dir, written, len(prompts.rows), (*reader.told(), *prompts.told()))


def _open(run_dir: RunDir, options: ImportOptions) -> RunDir:
    if run_dir.run_json.exists():
        run_dir = RunDir.open(run_dir.path)
        if not options.tag and run_dir.steps():
            raise UserError(f"{run_dir} already holds training steps; import these into another --run")
        known = run_dir.config().model
        if options.model and known and options.model != known:
            raise UserError(f"{run_dir} is a run of model {known!r}, not {options.model!r}; choose another --run")
    elif holds_files(run_dir.path):
        raise UserError(f"{run_dir} is not empty and no run directory; choose another --run")
    return run_dir


def _files(source: str, form: Format, evaluation: bool) -> list[Path]:
    files = find_files(source, form.evaluation if evaluation else form.training)
    if Path(source).is_dir():
        files = form.select(files, evaluation)
        _check_one_run(source, files, form)
    return sorted(files, key=lambda path: (form.step_of(path) or 0, str(path)))


def _check_one_run(source: str, files: list[Path], form: Format) -> None:
    """Raise UserError where a folder holds one step, or one evaluation, twice: it is of several runs."""
    seen: dict[tuple, Path] = {}
    for path in files:
        unit = (form.step_of(path), form.processed(path), form.of(path))
        if (other := seen.setdefault(unit, path)) != path:
            raise UserError(f"{source} holds several runs: {other} and {path}; give the folder of one, or a glob")


def _decoder(model: str | None) -> Callable[[list[int]], str] | None:
    if model is None:
        return None
    from openrlhf_unlearn.evaluation.prompts import load_tokenizer

    return load_tokenizer(model).decode


def _rollouts(files: list[Path], reader: Reader):
    """Every rollout of the files, in order; work that takes longer than seconds shows how far it is."""
    from tqdm import tqdm

    with tqdm(desc="reading", unit=" rollouts", delay=5, mininterval=1 if sys.stderr.isatty() else 30) as bar:
        for number, path in enumerate(files, 1):
            bar.set_postfix_str(f"file {number} of {len(files)}: {path.name}", refresh=False)
            for rollout in reader.read(path):
                bar.update()
                yield path, rollout
