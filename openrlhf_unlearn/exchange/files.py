"""Rows of any file that people have: JSON lines, JSON lists, CSV, Parquet, torch's `.pt`, plain, gzipped or zstd.

What a file is stands in its name and its first bytes. Lines end at a line feed only: U+2028 and U+0085 may stand in
JSON strings. Rows come one by one, so that a file may be larger than the memory, unless it is a JSON list or a `.pt`.
"""

import csv
import glob
import io
import json
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import psutil
import pyarrow as pa

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.parquet import read_rows
from openrlhf_unlearn.store.table_size import SHARE

COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_BATCH = 4096
_COPIES = 4  # of a text, while it is read: its bytes, its characters, what is made of them

Row = tuple[str, object]  # where it stands, for messages; what stands there


def find_files(source: str, patterns: tuple[str, ...]) -> list[Path]:
    """The files that `source`, a file, a folder or a glob (`**`: any depth), stands for; a folder is searched by
    `patterns`, the names of the first that finds any. Compressed files are found by their plain names."""
    path = Path(source)
    if path.is_file():
        return [path]
    if not path.is_dir():
        found = sorted(p for p in map(Path, glob.glob(source, recursive=True)) if _is_file(p))
        if not found:
            raise UserError(f"{source}: no file {patterns[0]} there; give the file, its folder or a glob")
        return found
    for pattern in patterns:
        found = {p for end in ("", *COMPRESSED) for p in path.glob(pattern + end) if _is_file(p)}
        if found:  # a file that is being compressed is there twice
            return sorted(path for path in found if path.suffix not in COMPRESSED or path.with_suffix("") not in found)
    raise UserError(f"{source}: no file {' or '.join(patterns)} there; give the file, its folder or a glob")


def _is_file(path: Path) -> bool:
    """Also a link to a file that is gone: reading it says so, where passing over it would hide a step."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def plain_name(path: Path) -> str:
    """The file's name without the ending of its compression."""
    return path.stem if path.suffix in COMPRESSED else path.name


def ending(path: Path) -> str:
    """What kind of file it is by its name: `.csv`, also of `ROWS.CSV.gz`."""
    return Path(plain_name(path)).suffix.lower()


def rows_of(path: Path, growing: bool = False) -> Iterator[Row]:
    """Every row of a file; of one that is `growing`, without the line of JSON that is not yet written to its end.

    Raises UserError that names the file and the row which cannot be read.
    """
    suffix = ending(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PAR1" or suffix == ".parquet":
            yield from _parquet(path)
        elif suffix in (".pt", ".pth"):
            yield from _torch(path)
        elif suffix == ".eval":
            yield from _zip_of_json(path)
        else:
            with _text(path, start) as lines:
                yield from _csv(path, lines) if suffix in (".csv", ".tsv") else _json(path, lines, growing)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error.reason}); convert it") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}); is it cut off?") from None


@contextmanager
def _text(path: Path, start: bytes) -> Iterator[io.TextIOWrapper]:
    """The file's text, decompressed, without a byte order mark."""
    compression = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    file = pa.input_stream(str(path), compression=compression) if compression else path.open("rb", buffering=0)
    with io.BufferedReader(file, 1 << 20) as raw:
        encoding = _ENCODINGS.get(raw.peek(2)[:2], "utf-8-sig")
        yield io.TextIOWrapper(raw, encoding=encoding, newline="\n")


def _most() -> int:
    """Characters that one text may have: a small compressed file can hold one of gigabytes."""
    return int(psutil.virtual_memory().available * SHARE / _COPIES)


def _fits(path: Path, size: int, most: int) -> None:
    if size >= most:
        raise UserError(
            f"{path} unpacks to {size / 1e9:.1f} GB or more in one piece, too much for the memory that is free; is it "
            "what it should be? Split it, or use a larger machine"
        )


def _lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    most = _most()
    while line := text.readline(most):
        _fits(path, len(line), most)
        yield line


def _rest(path: Path, text: io.TextIOWrapper) -> str:
    most = _most()
    rest = text.read(most)
    _fits(path, len(rest), most)
    return rest


def _json(path: Path, lines: io.TextIOWrapper, growing: bool) -> Iterator[Row]:
    for number, line in enumerate(_lines(path, lines), 1):
        if number == 1 and _begins_list(line):
            yield from _json_list(path, line + _rest(path, lines))
        elif line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                if growing and not line.endswith("\n"):
                    return
                if number > 1 or not (rest := _rest(path, lines)):
                    raise UserError(f"{path}: line {number} is not JSON ({error.msg}); fix or remove it") from None
                row = _document(path, line + rest, error)
            except ValueError:  # Python reads no more than 4,300
                raise UserError(f"{path}: line {number} holds a number of thousands of digits; remove it") from None
            except RecursionError:
                raise UserError(f"{path}: line {number} is nested too deeply to be read; remove it") from None
            yield f"line {number}", row


def _begins_list(line: str) -> bool:
    return line.lstrip().startswith("[")


def _document(path: Path, text: str, first: json.JSONDecodeError):
    """The one object that a file holds over many lines."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise UserError(f"{path}: line {first.lineno} is not JSON ({first.msg}); fix or remove it") from None


def _json_list(path: Path, text: str) -> Iterator[Row]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno} is not JSON ({error.msg}); fix it") from None
    except (RecursionError, ValueError):
        raise UserError(f"{path} is nested too deeply, or holds a number too long, to be read") from None
    del text
    for number, row in enumerate(rows, 1):
        yield f"row {number}", row


def _csv(path: Path, lines: io.TextIOWrapper) -> Iterator[Row]:
    csv.field_size_limit(min(_most(), 2**31 - 1))  # the module's 131,072 characters are less than a long response
    rows = _lines(path, lines)
    header = next(rows, "")  # spreadsheets write semicolons where the comma stands in numbers
    reader = csv.DictReader(chain([header], rows), delimiter=max(",;\t", key=header.count))
    try:
        twice = [name for name, n in Counter(reader.fieldnames or ()).items() if name and n > 1]
        if twice:
            raise UserError(f"{path} has several columns of the name {twice[0]!r}; rename one")
        for row in reader:
            if any(row.get(None, ())):
                raise UserError(
                    f"{path}: line {reader.line_num} has more values than the header has names; put those with "
                    "commas in quotes"
                )
            yield f"line {reader.line_num}", row
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num} cannot be read ({error}); fix or remove it") from None


def _parquet(path: Path) -> Iterator[Row]:
    return ((f"row {number}", row) for number, row in enumerate(read_rows(path, _BATCH), 1))


def _torch(path: Path) -> Iterator[Row]:
    """What torch.save wrote, without running any code that the file may bring."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _fits(path, sum(member.file_size for member in archive.infolist()), _COPIES * _most())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own import, and of old pickles
        value = _load_torch(path)
    yield "the file", value


def _load_torch(path: Path):
    try:
        import numpy as np
        import torch
        from numpy._core.multiarray import _reconstruct, scalar
    except ModuleNotFoundError:
        raise UserError(f"{path} is a file of torch, which is not installed here: pip install torch") from None
    arrays = [_reconstruct, scalar, np.ndarray, np.dtype]
    arrays += [type(np.dtype(name)) for name in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "bool")]
    try:
        with torch.serialization.safe_globals(arrays):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken archive, or one whose objects only their own program can make
        text = str(error) or type(error).__name__
        said = re.search(r".*\bunsupported\b.*", text, re.IGNORECASE)  # torch's advice stands around it
        reason = said[0] if said else text.splitlines()[0]
        raise UserError(
            f"{path} cannot be loaded without running code from it ({reason[:120]}); save plain dicts and lists"
        ) from None


def _zip_of_json(path: Path) -> Iterator[Row]:
    """Every JSON file of an archive, as inspect's `.eval` logs are; where a row stands is the file's name there."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(set(archive.namelist())):  # one that was written again is there twice
                if name.endswith(".json"):
                    _fits(path, archive.getinfo(name).file_size, _most())
                    yield name, json.loads(archive.read(name))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({str(error) or type(error).__name__}); it was cut off, or is no log of inspect"
        ) from None
