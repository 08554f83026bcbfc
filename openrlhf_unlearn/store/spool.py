"""Rows that wait on disk until all is read: an import writes its run only then, and may be larger than the memory."""

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FLUSH = 2**26  # characters of text that are held in memory


class Spool:
    """Rows by key, in the order that they came in. A context manager; its files are gone at its end."""

    def __init__(self, beside: Path, schema: pa.Schema):
        """`beside`: a folder, there or not, next to which the files are kept; the same disk, most likely."""
        self.schema = schema
        self._place = next(folder for folder in (beside, *beside.parents) if folder.is_dir())
        self._folder = None
        self._rows: dict[Hashable, list[tuple[Any, ...]]] = defaultdict(list)
        self._parts: dict[Hashable, list[Path]] = defaultdict(list)
        self._size = 0
        self._names = itertools.count()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._folder:
            self._folder.cleanup()

    def add(self, key: Hashable, row: tuple[Any, ...], size: int) -> None:
        """`row`: its values in the schema's order; `size`: about how many characters."""
        self._rows[key].append(row)
        self._size += size + 100
        if self._size > FLUSH:
            self._flush()

    def _flush(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=".import-", dir=self._place)
        for key, rows in self._rows.items():
            path = Path(self._folder.name, f".{next(self._names)}.parquet")
            pq.write_table(self._table(rows), path, compression="zstd", compression_level=1)
            self._parts[key].append(path)
        self._rows.clear()
        self._size = 0

    def tables(self, key: Hashable) -> Iterator[pa.Table]:
        """The key's rows, a table at a time."""
        yield from (pq.read_table(path) for path in self._parts.get(key, ()))
        if rows := self._rows.get(key):
            yield self._table(rows)

    def _table(self, rows: list[tuple[Any, ...]]) -> pa.Table:
        return pa.table(dict(zip(self.schema.names, zip(*rows, strict=True), strict=True)), schema=self.schema)
