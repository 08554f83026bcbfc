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

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from openrlhf_unlearn.errors import UsageError, UserError, command
from openrlhf_unlearn.options import Options, option, takes
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import GROUPS, Learnability, Prompts
from openrlhf_unlearn.store.run_dir import RunDir, atomic_folder, atomic_path, check_name, write_json
from openrlhf_unlearn.store.training import Rewards

PAPER_GROUPS = ("unlearnable", "learnable", "no_reward", "easy")


@dataclass(frozen=True)
class ExportOptions(Options):
    """What is written where, and how prompts are called there."""

    run: str = option("a classified run directory", positional=True, metavar="RUN")
    output: Path = option("file (json, skip) or folder (dataset, verl-csv)")
    format: str = option("what to write", "json", choices=("dataset", "json", "skip", "verl-csv"))
    groups: str = option("skip: groups that are listed", "unlearnable,no_reward")
    id_column: str | None = option("name prompts by this column of the data set", None)
    data: str | None = option("the data set that --id-column is of; default: the run's", None)
    prefix: str = option("verl-csv: how the four lists' names begin", "prompts")


OPTIONS = ExportOptions


def run(options: ExportOptions) -> None:
    print(f"written: {export(options)}")


@takes(ExportOptions)
def export(options: ExportOptions) -> Path:
    """Write the labels in the format asked for, and return where. Raises UserError for a run without labels."""
    run_dir = RunDir.open(options.run)
    if not run_dir.learnability.exists():
        raise UserError(f"{run_dir.learnability} is missing; make it: {command('classify', run_dir)}")
    writers = {"json": write_groups, "skip": write_skip_list, "dataset": write_dataset, "verl-csv": write_paper_files}
    writers[options.format](run_dir, Learnability.read(run_dir), options)
    return options.output


def _names(run_dir: RunDir, options: ExportOptions) -> dict[str, list]:
    """What each prompt id is called outside: several rows of a data set may be one prompt."""
    if options.id_column:
        names: dict[str, list] = {}
        for name, row in _rows_of_data(run_dir, options):
            names.setdefault(name, []).append(row[options.id_column])
        return names
    return {name: [name] for name in Prompts.ids(run_dir).to_pylist()}


def _rows_of_data(run_dir: RunDir, options: ExportOptions) -> list[tuple[str, dict]]:
    """(prompt id, row) of the user's data set, in its order. Raises UserError if no row is a prompt of the run."""
    from openrlhf_unlearn.evaluation.prompts import identified_rows

    rows = identified_rows(run_dir, options.data, "export without --id-column and --data")
    if rows and options.id_column and options.id_column not in rows[0][1]:
        raise UserError(f"the data set has no column {options.id_column!r}; it has {', '.join(rows[0][1])}")
    known = set(Prompts.ids(run_dir).to_pylist())
    if not any(name in known for name, _ in rows):
        raise UserError(f"no row of the data set is a prompt of {run_dir}: other data, keys or template? (--data)")
    return rows


def _groups(table: Learnability) -> dict[str, list[str]]:
    names, groups = table.prompt_id, np.array(table.group)
    return {group: [names[i] for i in np.flatnonzero(groups == group)] for group in GROUPS}


def _called(ids: list[str], names: dict[str, list]) -> list:
    return [called for name in ids for called in names.get(name, ())]


def write_groups(run_dir: RunDir, table: Learnability, options: ExportOptions) -> None:
    names = _names(run_dir, options)
    write_json(options.output, {group: _called(ids, names) for group, ids in _groups(table).items()})


def write_skip_list(run_dir: RunDir, table: Learnability, options: ExportOptions) -> None:
    """A plain list of prompt ids, as --unlearn.skip_prompts and --unlearn.only_prompts read it."""
    chosen = options.groups.split(",")
    for group in chosen:
        if group not in GROUPS:
            raise UsageError(f"--groups {options.groups}: {group!r} is no group; choose of {', '.join(GROUPS)}")
    names, groups = _names(run_dir, options), _groups(table)
    write_json(options.output, [called for group in chosen for called in _called(groups[group], names)])


def write_dataset(run_dir: RunDir, table: Learnability, options: ExportOptions) -> None:
    """A data set on disk (datasets.load_from_disk): the prompts, or the user's own rows, with the labels."""
    try:
        from datasets import Dataset
    except ImportError:
        raise UserError("--format dataset needs the package `datasets`: pip install datasets") from None
    if options.id_column or options.data:
        labels = dict(zip(table.prompt_id, table.arrow.to_pylist(), strict=True))
        nothing = dict.fromkeys(table.arrow.column_names)
        rows = [
            {**row, **{f"unlearn_{key}": value for key, value in labels.get(name, nothing).items()}}
            for name, row in _rows_of_data(run_dir, options)
        ]
        data = Dataset.from_list(rows)
    else:
        joined = Prompts.read(run_dir).arrow.join(table.arrow, Prompts.prompt_id.name, join_type="inner")
        data = Dataset(cast(Any, joined.combine_chunks()))  # it takes Arrow's tables, too
    with atomic_folder(options.output) as aside:
        data.save_to_disk(str(aside))


def write_paper_files(run_dir: RunDir, table: Learnability, options: ExportOptions) -> None:
    check_name(options.prefix, "--prefix")
    numbers = _numbers(run_dir, options)

    with atomic_folder(options.output) as folder:
        _write_csv(run_dir, numbers, folder / "prompt_reward_stats.csv")
        for group in PAPER_GROUPS:
            ids = sorted(numbers[name] for name in table.by_paper_code(group) if name in numbers)
            (folder / f"{options.prefix}_{group}.json").write_text(json.dumps(ids), encoding="utf-8")
        for tag in run_dir.evaluation_tags():
            _write_results(run_dir, tag, numbers, folder / f"result_{tag}.json")


def _numbers(run_dir: RunDir, options: ExportOptions) -> dict[str, int]:
    """A whole number for every prompt."""
    if options.id_column:
        found = {name: called[0] for name, called in _names(run_dir, options).items()}
        what = f"--id-column {options.id_column}"
    else:
        rows = Prompts.read(run_dir, Prompts.prompt_id, Prompts.source_id).rows()
        imported = all(row.source_id is not None for row in rows)
        found = {row.prompt_id: row.source_id if imported else i for i, row in enumerate(rows)}
        what = "the imported prompts' ids"
    try:
        return {name: int(value) for name, value in found.items()}
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} must be whole numbers for the paper's files ({error})") from None


def _write_csv(run_dir: RunDir, numbers: dict[str, int], path: Path) -> None:
    columns = (
        Rewards.step, Rewards.prompt_id, Rewards.mean_reward, Rewards.std_reward, Rewards.n, Rewards.processed,
    )  # fmt: skip
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow([column.name for column in columns])
        for row in Rewards.read(run_dir, *columns).rows():
            if row.prompt_id in numbers:
                writer.writerow(row._replace(prompt_id=numbers[row.prompt_id]))


def _write_results(run_dir: RunDir, tag: str, numbers: dict[str, int], path: Path) -> None:
    """A JSON list of {question_id, question, response, verification: {score, extracted_answer, is_correct}}."""
    question = Prompts.texts(run_dir)
    columns = Evaluations.prompt_id, Evaluations.response, Evaluations.reward, Evaluations.positive
    table = Evaluations.read(run_dir, tag, *columns)
    results = []
    for row, correct in zip(table.rows(), table.hits().tolist(), strict=True):
        if row.prompt_id not in numbers:
            continue
        results.append(
            {
                "question_id": numbers[row.prompt_id],
                "question": question[row.prompt_id],
                "response": row.response,
                "verification": {"score": float(correct), "extracted_answer": None, "is_correct": correct},
            }
        )
    with atomic_path(path) as aside:
        aside.write_text(json.dumps(results, ensure_ascii=False), encoding="utf-8", errors="backslashreplace")
