"""Before anything starts: is the model whole, is every row of a local data file usable? One line names the culprit."""

# pyright: basic
# Rows of any file, and the arguments of the host.

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.machine.host_functions import host_function
from openrlhf_unlearn.store.nested import get, has
from openrlhf_unlearn.store.parquet import read_rows

LOCAL_FILES = (".json", ".jsonl", ".csv", ".parquet")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def check_model(path: str) -> None:
    """Raise UserError if `path` is a local folder without configuration or tokenizer; a hub id passes."""
    folder = Path(path)
    if not folder.exists():
        if path.startswith((".", "/", "~")) or path.count("/") > 1:
            raise UserError(f"--actor.model_name_or_path {path}: no such folder")
        return
    if not (folder / "config.json").exists():
        raise UserError(f"--actor.model_name_or_path {path} has no config.json; it is no Hugging Face model folder")
    if not any((folder / name).exists() for name in _TOKENIZER_FILES):
        raise UserError(
            f"--actor.model_name_or_path {path} has no tokenizer ({', '.join(_TOKENIZER_FILES)}); save one there with "
            "tokenizer.save_pretrained"
        )


def rows_of(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, row) for each row of a local .json, .jsonl, .csv or .parquet file. Raises UserError at a broken row."""
    try:
        yield from _rows_of(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}); save it as text in UTF-8") from None


def flag_rows(flag: str, path: Path) -> list[Any]:
    """All rows of the file that a flag names. Raises UserError that names the flag."""
    try:
        return [row for _, row in rows_of(path)]
    except OSError as error:
        raise UserError(f"{flag} {path} cannot be read: {error.strerror}") from None
    except UserError as error:
        raise UserError(f"{flag} {error}") from None


def _rows_of(path: Path) -> Iterator[tuple[str, dict]]:
    suffix = path.suffix
    if suffix == ".parquet":
        for number, row in enumerate(read_rows(path), 1):
            yield f"row {number}", row
    elif suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                yield f"line {number}", row
    else:
        text = path.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith("["):
            yield from _rows_of_json(path, text)
        else:
            for number, line in enumerate(text.split("\n"), 1):  # a text may hold U+2028, a line to splitlines
                if line.strip():
                    yield f"line {number}", _parsed(path, line, f"line {number}")


def _parsed(path: Path, text: str, where: str):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: {where} is not JSON ({error}); fix or remove it") from None


def _rows_of_json(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno} is not JSON ({error.msg}); fix it") from None
    for number, row in enumerate(rows, 1):
        yield f"row {number}", row


def check_data_file(
    path: Path, input_key: str, label_key: str | None, image_key: str | None = None, nested: bool = False
) -> dict[tuple[str, str], str]:
    """Where each (prompt, label), as text, stands in the file, every one usable. Tells of repeated rows.

    `nested`: a dot in a key goes into an object. Rows with different images are no repetitions.

    Raises UserError for what is not usable.
    """
    if not path.exists():
        raise UserError(f"--data.prompt_dataset {path}: no such file")
    seen: dict[tuple[str, str], str] = {}
    rows, repeated = set(), []
    for where, row in rows_of(path):
        if not isinstance(row, dict):
            raise UserError(f"{path}: {where} is no object with keys but {type(row).__name__}")
        for flag, key in (("--data.input_key", input_key), ("--data.label_key", label_key)):
            if key is None:
                continue
            if key not in row and not (nested and has(row, key)):  # the host itself reads plain keys only
                raise UserError(f"{path}: {where} has no key {key!r} ({flag}); it has {', '.join(map(repr, row))}")
            if get(row, key) is None or get(row, key) == "":
                raise UserError(f"{path}: {where} has an empty {key!r} ({flag}); fill it in or remove the row")
        pair = (json.dumps(get(row, input_key), ensure_ascii=False), str(get(row, label_key) if label_key else ""))
        whole = hash((pair, repr(row.get(image_key))))
        if whole in rows:
            repeated.append(where)
        rows.add(whole)
        seen.setdefault(pair, where)
    if not seen:
        raise UserError(f"{path} has no rows; give a data set with at least one prompt")
    if repeated:
        print(
            f"note: {path} repeats {len(repeated)} prompts with the same label (first: {repeated[0]}); in training a "
            "prompt is visited once an episode for every row that it has",
            flush=True,
        )
    return seen


def host_rows(sources: str, split: str):
    """The data sets as the host itself loads them: files, folders, hub ids, several joined by commas."""
    quiet = SimpleNamespace(args=SimpleNamespace(use_ms=False), print=lambda *_: None, is_rank_0=lambda: False)
    return host_function("blending_datasets")(sources, None, quiet, dataset_split=split)


def labels_of(source: str, args: SimpleNamespace) -> dict[str, list]:
    """The labels of a data set and, of a local file, where they stand."""
    key = args.data.label_key
    if key is None:
        raise UserError("--data.label_key is missing: name the column with the right answers")
    if Path(source).suffix in LOCAL_FILES:
        rows = check_data_file(Path(source), args.data.input_key, key, args.data.image_key)
        return {"labels": [label for _, label in rows], "places": list(rows.values())}
    data = host_rows(source, args.data.prompt_split)
    if key not in data.column_names:
        raise UserError(f"{source} has no column {key!r} (--data.label_key); it has {', '.join(data.column_names)}")
    return {"labels": list(data[key])}


def ungradable_labels(source: str, answer_format: str, labels: list, places: list[str] | None = None) -> list[str]:
    """The labels that our grader cannot read, the first in a table with their rows; their prompts do not train.

    Those that it can, but that are read as a part of them or matched only by their words, are told of, too.
    """
    from openrlhf_unlearn.grading.labels import check_labels, doubtful_labels, label_table

    doubtful = doubtful_labels(labels) if answer_format in ("auto", "boxed") else []
    if doubtful:
        print(
            f"warning: {len(doubtful)} of {len(labels)} labels of {source} are no plain value; they are read like this:"
        )
        print(label_table(labels, doubtful, places), flush=True)
    culprits = check_labels(labels, answer_format)
    if not culprits:
        return []
    print(f"warning: {len(culprits)} of {len(labels)} labels of {source} cannot be graded; they do not train:")
    print(label_table(labels, culprits, places), flush=True)
    if len(culprits) == len(labels):
        raise UserError(
            f"{source}: no label can be graded with --unlearn.answer_format {answer_format}; is --data.label_key right?"
        )
    return [str(labels[row]) for row in culprits]


OUR_REWARD = re.compile(r"\bopenrlhf_unlearn\.(grading|reward_math)\b")


def uses_our_grader(remote_url: str | None) -> bool:
    """Whether --reward.remote_url is a file that hands out our reward function."""
    if not remote_url or not remote_url.endswith(".py"):
        return False
    return bool(OUR_REWARD.search(Path(remote_url).read_text(encoding="utf-8", errors="replace")))


def check_inputs(args: SimpleNamespace) -> None:
    """All checks of model, reward file and local data that need no GPU and no Ray. Raises UserError.

    Sets `args.unlearn.ungradable_labels`, which the selection of prompts leaves out.
    """
    args.unlearn.ungradable_labels = []
    check_model(args.actor.model_name_or_path)
    reward = args.reward.remote_url
    if reward and reward.endswith(".py") and not Path(reward).exists():
        raise UserError(f"--reward.remote_url {reward}: no such file")
    if not args.data.prompt_dataset:
        raise UserError("--data.prompt_dataset is missing: give a file or a Hugging Face data set")
    for source in map(str.strip, args.data.prompt_dataset.split(",")):
        if uses_our_grader(reward):
            found = ungradable_labels(source, args.unlearn.answer_format, **labels_of(source, args))
            args.unlearn.ungradable_labels += found
        elif Path(source).suffix in LOCAL_FILES:
            check_data_file(Path(source), args.data.input_key, args.data.label_key, args.data.image_key)
