"""`openrlhf-unlearn import FORMAT SOURCE --run RUN`: other frameworks' rollouts become a run directory.

    openrlhf-unlearn import verl rollouts/ --run RUN                         training rollouts: rewards of every step
    openrlhf-unlearn import verl validation/0.jsonl --run RUN --tag initial  an evaluation
    openrlhf-unlearn import trl OUTPUT_DIR/ --run RUN --columns reward=accuracy_reward
    openrlhf-unlearn import prime-rl OUTPUT_DIR/ --run RUN
    openrlhf-unlearn import paper prompt_reward_stats.csv --run RUN
    openrlhf-unlearn import paper 'results/*.json' --run RUN --tag final
    openrlhf-unlearn import jsonl 'dumps/**/*.jsonl.zst' --run RUN --tag final --columns prompt=q,reward=ok,id=qid
    openrlhf-unlearn import auto OUTPUT_DIR/ --run RUN                       by what the first file looks like

Without --tag the files are training rollouts, which tell `no_reward` from `unlearnable`; with --tag one evaluation.
After an initial and a final one: openrlhf-unlearn classify RUN. Files are JSON lines or lists, CSV, Parquet or torch's
.pt (loaded without running code), plain or as .gz or .zst; a row is a rollout, or a prompt with lists of responses and
rewards. A prompt's id comes from its text and label, or, where the files name their prompts (`id`), from that name: so
runs imported in any order agree. Rollouts without a reward (null, nan) are left out and counted. Everything is read
before anything is written. docs/other_frameworks.md says, for each framework, which flag makes it write.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.exchange.files import find_files
from openrlhf_unlearn.exchange.formats import FORMATS, Format, guess
from openrlhf_unlearn.exchange.prompts import Prompts
from openrlhf_unlearn.exchange.reading import Reader
from openrlhf_unlearn.exchange.writing import import_csv, import_evaluation, import_training
from openrlhf_unlearn.store.locks import SHORT_S, hold
from openrlhf_unlearn.store.run_dir import RunDir, check_name, holds_files

COLUMNS = ("prompt", "response", "reward", "label", "step", "id", "positive")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("format", choices=["auto", *sorted(FORMATS)], help="whose files they are; jsonl: any, with --columns")
    add("source", help="file, folder or glob; ** in a glob is any depth")
    add("--run", required=True, metavar="RUN", help="run directory to write into; made if it is not there")
    add("--tag", help="the files are the evaluation of this name, not training rollouts")
    add("--step", type=int, help="with --tag: only the rollouts of this step, where the files hold several")
    add("--columns", default="", help=f"NAME=COLUMN,… for {', '.join(COLUMNS)}; a dot goes into an object")
    add(
        "--threshold",
        type=float,
        help="reward above which a rollout is positive; needed if rewards are not binary, and remembered in run.json",
    )
    add("--save-rollouts", type=int, default=0, help="rollouts a prompt and step kept with their text")
    add("--model", help="the model that training started from, if known: runs of different ones never mix")
    add("--tokenizer", metavar="MODEL", help="makes text of token ids, where the files hold these")


def run(args: argparse.Namespace) -> None:
    columns = _columns(args.columns)
    run_dir = RunDir(args.run)
    if args.tag:
        check_name(args.tag, "--tag")
    if args.format == "auto":
        args.format = guess(args.source)
        print(f"{args.source}: taken for {args.format} ({FORMATS[args.format].checked})")
    with ExitStack() as locks:  # of what is written: steps or an evaluation, and the prompts
        locks.enter_context(hold(run_dir.evaluation(args.tag) if args.tag else run_dir.path, "import"))
        locks.enter_context(hold(run_dir.prompts, "import", wait_s=SHORT_S))
        import_files(_open(run_dir, args), columns, args)


def import_files(run_dir: RunDir, columns: dict, args: argparse.Namespace) -> None:
    prompts = Prompts(run_dir)
    source, form = Path(args.source), FORMATS[args.format]
    notes = []
    if args.format == "paper" and source.suffix == ".csv":
        if args.tag:
            raise UsageError("--tag: a prompt_reward_stats.csv holds training rewards, no evaluation")
        written = import_csv(run_dir, source, prompts)
    else:
        if form.evaluations_only and not args.tag:
            raise UsageError(f"{form.name} writes evaluations, not training rollouts: give --tag initial, final, …")
        files = _files(args.source, form, bool(args.tag))
        if args.tag and args.step is None and form.name == "jsonl":
            columns = {"step": "", **columns}  # such a file may count the steps of something else
        reader = Reader(form, columns, bool(args.tag), _decoder(args.tokenizer))
        write = import_evaluation if args.tag else import_training
        written = write(run_dir, args, _rollouts(files, reader), reader, prompts)
        notes = list(reader.told())
    print(f"{run_dir}: {written}; {len(prompts.rows)} prompts known")
    for note in (*notes, *prompts.told()):
        print(f"note: {note}")


def _columns(text: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in text.split(",") if item]
    for name, equals, column in pairs:
        if name not in COLUMNS or not equals or not column:
            raise UsageError(f"--columns {text}: write NAME=COLUMN with NAME of {', '.join(COLUMNS)}")
    return {name: column for name, _, column in pairs}


def _open(run_dir: RunDir, args: argparse.Namespace) -> RunDir:
    if run_dir.run_json.exists():
        run_dir = RunDir.open(run_dir.path)
        if not args.tag and run_dir.steps():
            raise UserError(f"{run_dir} already holds training steps; import these into another --run")
        known = run_dir.config().get("model")
        if args.model and known and args.model != known:
            raise UserError(f"{run_dir} is a run of model {known!r}, not {args.model!r}; choose another --run")
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


def _decoder(model: str | None):
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
