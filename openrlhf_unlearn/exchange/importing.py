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
import statistics
import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.exchange.files import find_files
from openrlhf_unlearn.exchange.formats import FORMATS, Format, Rollout, guess
from openrlhf_unlearn.exchange.paper_csv import read_stats
from openrlhf_unlearn.exchange.prompts import Prompts
from openrlhf_unlearn.exchange.reading import Reader
from openrlhf_unlearn.exchange.rule import Rule
from openrlhf_unlearn.exchange.spool import Spool
from openrlhf_unlearn.learnability.settings import now
from openrlhf_unlearn.locks import SHORT_S, hold
from openrlhf_unlearn.run_dir import (
    SCHEMA_VERSION,
    SCHEMAS,
    RunDir,
    atomic_path,
    check_name,
    holds_files,
    write_json,
)

COLUMNS = ("prompt", "response", "reward", "label", "step", "id", "positive")
# As it was sampled; whether it is positive is known once all is read.
SAMPLED = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("sample", pa.int32()),
        ("response", pa.string()),
        ("reward", pa.float64()),
        ("said", pa.bool_()),
    ]
)
EVALUATION = SCHEMAS["evaluations"].append(pa.field("positive", pa.bool_()))


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
    return sorted(files, key=lambda path: (form.step_of(path) or 0, str(path)))


def _decoder(model: str | None):
    if model is None:
        return None
    from openrlhf_unlearn.learnability.prompts import load_tokenizer

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


def import_training(run_dir: RunDir, args, rollouts, reader: Reader, prompts: Prompts) -> str:
    """Rewards (and some rollouts) of every step, from training rollouts; says what was written."""
    groups: dict[tuple[int, str, bool], list[tuple[float, bool | None]]] = defaultdict(list)
    rule = Rule(run_dir, args.threshold, FORMATS[args.format].binary)
    with Spool(run_dir.path.absolute(), SAMPLED) as kept:
        for path, rollout in rollouts:
            if rollout.step is None:
                raise UserError(f"{path} does not say its step; name the column: --columns step=COLUMN, or give --tag")
            name = prompts.add(rollout, args.format)
            group = groups[rollout.step, name, rollout.processed]
            if len(group) < args.save_rollouts and not rollout.processed:
                _keep(kept, rollout.step, name, len(group), rollout)
            group.append((rollout.reward, rollout.positive))
            rule.see(rollout)
        if not groups:
            raise UserError(f"{args.source} has no rollouts{_why_none(reader)}")
        rule.settle(args.source)
        steps: dict[int, list[dict]] = defaultdict(list)
        for (step, name, processed), group in groups.items():
            rewards = [reward for reward, _ in group]
            n_positive = sum(rule.positive(*one) for one in group)
            steps[step].append(_reward_row(name, rewards, n_positive, processed))
        sampled = sum(len(group) for (_, _, processed), group in groups.items() if not processed)
        _finish(run_dir, args, prompts, rule)
        for step, rows in sorted(steps.items()):
            run_dir.write_step("rewards", step, rows)
            if args.save_rollouts:
                tables = (_judged(table, rule, SCHEMAS["rollouts"], step=step) for table in kept.tables(step))
                _write(run_dir.step_file("rollouts", step), tables, SCHEMAS["rollouts"])
    if not sampled:
        print("note: the files hold what trained, not all that was sampled: `no_reward` cannot be told by them")
    return f"{len(steps)} steps, {sampled or sum(map(len, groups.values()))} rollouts"


def _keep(spool: Spool, key, name: str, sample: int, rollout: Rollout) -> None:
    size = len(rollout.response or "")
    spool.add(key, (name, sample, rollout.response, rollout.reward, rollout.positive), size)


def _reward_row(name: str, rewards: list[float], n_positive: int, processed: bool) -> dict:
    return {
        "prompt_id": name,
        "processed": processed,
        "n": len(rewards),
        "n_positive": n_positive,
        "pass_rate": n_positive / len(rewards),
        "mean_reward": statistics.fmean(rewards),
        "std_reward": statistics.pstdev(rewards),
    }


def _judged(table: pa.Table, rule: Rule, schema: pa.Schema, step: int | None = None) -> pa.Table:
    """The table as the run directory has it: with verdicts, and whether each rollout is positive."""
    positive = list(map(rule.positive, table.column("reward").to_pylist(), table.column("said").to_pylist()))
    known = {
        "step": pa.repeat(pa.scalar(step, pa.int32()), len(positive)),
        "verdict": pa.array(["correct" if right else "wrong" for right in positive]),
        "positive": pa.array(positive, pa.bool_()),
        "n_tokens": pa.nulls(len(positive), pa.int32()),
    }
    columns = {name: known[name] if name in known else table.column(name) for name in schema.names}
    return pa.table(columns, schema=schema)


def _write(path: Path, tables, schema: pa.Schema) -> None:
    with atomic_path(path) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def import_evaluation(run_dir: RunDir, args, rollouts, reader: Reader, prompts: Prompts) -> str:
    """evaluations/TAG from files of sampled responses; says what was written."""
    if run_dir.evaluation(args.tag).exists():
        raise UserError(f"{run_dir.evaluation(args.tag)} is there already; choose another --tag, or delete it")
    drawn: dict[str, int] = defaultdict(int)
    rule, steps = Rule(run_dir, args.threshold, FORMATS[args.format].binary), set()
    with Spool(run_dir.path.absolute(), SAMPLED) as kept:
        for _, rollout in rollouts:
            if rollout.processed or (args.step is not None and rollout.step != args.step):
                continue
            name = prompts.add(rollout, args.format)
            _keep(kept, args.tag, name, drawn[name], rollout)
            drawn[name] += 1
            steps.add(rollout.step)
            rule.see(rollout)
        if not drawn:
            raise UserError(f"{args.source} has no rollouts{_why_none(reader)}")
        if len(steps) > 1:
            raise UserError(
                f"{args.source} holds {len(steps)} steps; an evaluation is of one: give its file alone, or --step"
            )
        rule.settle(args.source)
        _finish(run_dir, args, prompts, rule)
        tables = (_judged(table, rule, EVALUATION) for table in kept.tables(args.tag))
        _write(run_dir.evaluation(args.tag), tables, EVALUATION)
    about = {"model": args.model if args.tag == "initial" else None, "data": str(args.source), "n": max(drawn.values())}
    write_json(
        run_dir.evaluation_json(args.tag),
        {
            **about,
            "temperature": None,
            "adaptive": None,
            "positive": rule.as_json(),
            "imported_from": args.format,
            "created": now(),
        },
    )
    return f"evaluation {args.tag}: {sum(drawn.values())} samples of {len(drawn)} prompts"


def _why_none(reader: Reader) -> str:
    return f": {reader.first_left_out}, and no other row has one" if reader.first_left_out else ""


def import_csv(run_dir: RunDir, path: Path, prompts: Prompts) -> str:
    """The paper's prompt_reward_stats.csv as rewards/."""
    steps: dict[int, list[dict]] = defaultdict(list)
    rows = read_stats(path)
    for row in rows:
        name = prompts.add(Rollout(None, None, row["mean_reward"], id=row["prompt_id"]), "paper")
        steps[row["step"]].append({**row, "prompt_id": name})
    _finish(run_dir, argparse.Namespace(format="paper", source=str(path), model=None), prompts, Rule(run_dir, None))
    for step, of_step in sorted(steps.items()):
        run_dir.write_step("rewards", step, of_step)
    return f"{len(steps)} steps, {len(rows)} rows"


def _finish(run_dir: RunDir, args, prompts: Prompts, rule: Rule) -> None:
    """Write run.json, where there is none, and the prompts."""
    about = {
        "schema_version": SCHEMA_VERSION,
        "created_by": f"import {args.format}",
        "created": now(),
        "model": args.model,
        "data": str(args.source),
        "seed": None,
        "positive": rule.as_json(),
        "args": {},
    }
    with hold(run_dir.run_json, "import", wait_s=SHORT_S):
        if not run_dir.run_json.exists():
            write_json(run_dir.run_json, about)
        elif rule.given is not None and "positive" not in (known := run_dir.config()):
            write_json(run_dir.run_json, {**known, "positive": rule.as_json()})
    prompts.save()
