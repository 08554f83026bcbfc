"""`openrlhf-unlearn export RUN --format ... --output ...`: the labels where others can use them.

    openrlhf-unlearn export RUN --format json --output groups.json         {group: [prompt ids]}
    openrlhf-unlearn export RUN --format skip --output skip.json           a list, for --unlearn.skip_prompts
    openrlhf-unlearn export RUN --format dataset --output labelled/        a Hugging Face data set, a row a prompt
    openrlhf-unlearn export RUN --format verl-csv --output paper/          the paper's own files (below)
    openrlhf-unlearn export RUN --output mine.json --id-column uid         named by column uid of your data set

With --id-column C (and --data D, by default the run's) prompts are named by column C of your own data set, and
`dataset` gives back its rows with the labels as further columns, unlearn_group and so on.

The paper's files: prompt_reward_stats.csv, {prefix}_{unlearnable,learnable,no_reward,easy}.json and, for every
evaluation, result_TAG.json; its own classification reads them. They name prompts by whole numbers: the id column's, the
imported ones, or else the row in prompts.parquet.
"""

import argparse
import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.store.run_dir import GROUPS, RunDir, atomic_path, check_name, read_table, write_json

PAPER_GROUPS = ("unlearnable", "learnable", "no_reward", "easy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="a classified run directory")
    add("--format", choices=sorted(WRITERS), default="json", help="what to write")
    add("--output", required=True, type=Path, help="file (json, skip) or folder (dataset, verl-csv)")
    add("--groups", default="unlearnable,no_reward", help="skip: groups that are listed")
    add("--id-column", help="name prompts by this column of the data set")
    add("--data", help="the data set that --id-column is of; default: the run's")
    add("--prefix", default="prompts", help="verl-csv: how the four lists' names begin")


def run(args: argparse.Namespace) -> None:
    run_dir = RunDir.open(args.run)
    if not run_dir.learnability.exists():
        raise UserError(f"{run_dir.learnability} is missing; make it: openrlhf-unlearn classify {run_dir}")
    WRITERS[args.format](run_dir, read_table(run_dir.learnability), args)
    print(f"written: {args.output}")


def _names(run_dir: RunDir, args) -> dict[str, list]:
    """What each prompt id is called outside: several rows of a data set may be one prompt."""
    if args.id_column:
        names: dict[str, list] = {}
        for name, row in _rows_of_data(run_dir, args):
            names.setdefault(name, []).append(row[args.id_column])
        return names
    return {name: [name] for name in read_table(run_dir.prompts, ["prompt_id"]).column(0).to_pylist()}


def _rows_of_data(run_dir: RunDir, args) -> list[tuple[str, dict]]:
    """(prompt id, row) of the user's data set, in its order. Raises UserError if no row is a prompt of the run."""
    from openrlhf_unlearn.evaluation.prompts import identified_rows

    rows = identified_rows(run_dir, args.data)
    if rows and args.id_column and args.id_column not in rows[0][1]:
        raise UserError(f"the data set has no column {args.id_column!r}; it has {', '.join(rows[0][1])}")
    known = set(read_table(run_dir.prompts, ["prompt_id"]).column(0).to_pylist())
    if not any(name in known for name, _ in rows):
        raise UserError(f"no row of the data set is a prompt of {run_dir}: other data, keys or template? (--data)")
    return rows


def _groups(table: pa.Table) -> dict[str, list[str]]:
    names, groups = table.column("prompt_id").to_pylist(), np.array(table.column("group").to_pylist())
    return {group: [names[i] for i in np.flatnonzero(groups == group)] for group in GROUPS}


def _called(ids: list[str], names: dict[str, list]) -> list:
    return [called for name in ids for called in names.get(name, ())]


def write_groups(run_dir: RunDir, table: pa.Table, args) -> None:
    names = _names(run_dir, args)
    write_json(args.output, {group: _called(ids, names) for group, ids in _groups(table).items()})


def write_skip_list(run_dir: RunDir, table: pa.Table, args) -> None:
    """A plain list of prompt ids, as --unlearn.skip_prompts and --unlearn.only_prompts read it."""
    chosen = args.groups.split(",")
    for group in chosen:
        if group not in GROUPS:
            raise UsageError(f"--groups {args.groups}: {group!r} is no group; choose of {', '.join(GROUPS)}")
    names, groups = _names(run_dir, args), _groups(table)
    write_json(args.output, [called for group in chosen for called in _called(groups[group], names)])


def write_dataset(run_dir: RunDir, table: pa.Table, args) -> None:
    """A data set on disk (datasets.load_from_disk): the prompts, or the user's own rows, with the labels."""
    try:
        from datasets import Dataset
    except ImportError:
        raise UserError("--format dataset needs the package `datasets`: pip install datasets") from None
    if args.id_column or args.data:
        labels = {row["prompt_id"]: row for row in table.to_pylist()}
        nothing = dict.fromkeys(table.column_names)
        rows = [
            {**row, **{f"unlearn_{key}": value for key, value in labels.get(name, nothing).items()}}
            for name, row in _rows_of_data(run_dir, args)
        ]
        data = Dataset.from_list(rows)
    else:
        prompts = read_table(run_dir.prompts)
        data = Dataset(prompts.join(table, "prompt_id", join_type="inner").combine_chunks())
    _replace_folder(args.output, lambda aside: data.save_to_disk(str(aside)))


def _replace_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Write a folder aside and rename it; refuses to replace anything."""
    if target.exists():
        raise UserError(f"{target} is there already; choose another --output, or delete it")
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        aside.mkdir(parents=True)
        write(aside)
        aside.rename(target)
    except OSError as error:
        if target.exists():  # another command was faster
            raise UserError(f"{target} is there already; choose another --output, or delete it") from None
        why = error.strerror or error
        raise UserError(f"cannot write {target}: {why}; free space or choose another --output") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_paper_files(run_dir: RunDir, table: pa.Table, args) -> None:
    check_name(args.prefix, "--prefix")
    numbers = _numbers(run_dir, args)

    def write(folder: Path) -> None:
        _write_csv(run_dir, numbers, folder / "prompt_reward_stats.csv")
        for group in PAPER_GROUPS:
            ids = sorted(numbers[name] for name in _paper_set(table, group) if name in numbers)
            (folder / f"{args.prefix}_{group}.json").write_text(json.dumps(ids), encoding="utf-8")
        for tag in run_dir.evaluation_tags():
            _write_results(run_dir, tag, numbers, folder / f"result_{tag}.json")

    _replace_folder(args.output, write)


def _paper_set(table: pa.Table, group: str) -> list[str]:
    """The members by the paper's code, whose sets overlap, where `classify --rule paper-code` made them."""
    column = f"paper_code_{group}"
    chosen = table.column(column) if column in table.column_names else pc.equal(table.column("group"), group)
    return table.filter(chosen).column("prompt_id").to_pylist()


def _numbers(run_dir: RunDir, args) -> dict[str, int]:
    """A whole number for every prompt."""
    if args.id_column:
        found = {name: called[0] for name, called in _names(run_dir, args).items()}
        what = f"--id-column {args.id_column}"
    else:
        rows = read_table(run_dir.prompts).to_pylist()
        imported = all(row.get("source_id") is not None for row in rows)
        found = {row["prompt_id"]: row["source_id"] if imported else i for i, row in enumerate(rows)}
        what = "the imported prompts' ids"
    try:
        return {name: int(value) for name, value in found.items()}
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} must be whole numbers for the paper's files ({error})") from None


def _write_csv(run_dir: RunDir, numbers: dict[str, int], path: Path) -> None:
    columns = ["step", "prompt_id", "mean_reward", "std_reward", "n", "processed"]
    table = run_dir.read_steps("rewards", columns)
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(columns)
        for row in table.to_pylist():
            if row["prompt_id"] in numbers:
                writer.writerow([numbers[row["prompt_id"]] if key == "prompt_id" else row[key] for key in columns])


def _write_results(run_dir: RunDir, tag: str, numbers: dict[str, int], path: Path) -> None:
    """A JSON list of {question_id, question, response, verification: {score, extracted_answer, is_correct}}."""
    prompts = read_table(run_dir.prompts, ["prompt_id", "prompt"]).to_pylist()
    question = {row["prompt_id"]: row["prompt"] for row in prompts}
    table = read_table(run_dir.evaluation(tag), ["prompt_id", "response", "verdict"])
    results = []
    for row in table.to_pylist():
        if row["prompt_id"] not in numbers:
            continue
        correct = row["verdict"] == "correct"
        results.append(
            {
                "question_id": numbers[row["prompt_id"]],
                "question": question[row["prompt_id"]],
                "response": row["response"],
                "verification": {"score": float(correct), "extracted_answer": None, "is_correct": correct},
            }
        )
    with atomic_path(path) as aside:
        aside.write_text(json.dumps(results, ensure_ascii=False), encoding="utf-8", errors="backslashreplace")


WRITERS = {"json": write_groups, "skip": write_skip_list, "dataset": write_dataset, "verl-csv": write_paper_files}
