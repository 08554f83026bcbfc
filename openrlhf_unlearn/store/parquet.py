"""Parquet files: one reader, which says in one line what is wrong with a file, and one writer.

Files appear whole (`files.atomic_path`). What a table of the run directory holds is said by its class (`table.py`);
here are the data sets of users, too.
"""

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from openrlhf_unlearn.errors import UserError, no_name
from openrlhf_unlearn.store.files import atomic_path
from openrlhf_unlearn.store.table_size import check_size

SCANNED = 8192  # rows that a scan gives at once
READAHEAD = 16  # times as many that pyarrow reads ahead


def write_table(path: Path, table: pa.Table) -> None:
    with atomic_path(path) as aside:
        pq.write_table(table, aside, compression="zstd")


@contextmanager
def writer(path: Path, schema: pa.Schema) -> Generator[Callable[[pa.Table], None]]:
    """Yields what adds a table to the file, which the caller wraps in `atomic_path`."""
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        yield file.write_table


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Those of the columns (None: all) that the file has. Raises UserError that names the file if it is missing or cut
    off, or would not fit into memory: a small file can unpack to gigabytes."""
    with _said(path), pq.ParquetFile(path) as file:  # opened once: another command may replace it meanwhile
        check_size(path, columns, file.metadata)
        return file.read(columns=None if columns is None else list(columns))


def column_names(path: Path) -> list[str]:
    with _said(path):
        return pq.read_schema(path).names


def read_rows(path: Path, batch: int = SCANNED) -> Iterator[dict[str, Any]]:
    """The rows of a data set, of any columns, `batch` of them in memory at a time."""
    with _said(path), pq.ParquetFile(path) as file:
        check_size(path, None, file.metadata)
        for part in file.iter_batches(batch):
            yield from part.to_pylist()


def scan_table(path: Path, columns: Sequence[str], wanted: pa.Array | None = None) -> Iterator[pa.Table]:
    """Those of the columns that the file has, SCANNED rows at a time; `wanted`: the prompt ids whose rows come."""
    import pyarrow.dataset as ds  # brings pandas: half a second of every command that scans nothing

    with _said(path), pq.ParquetFile(path) as file:
        at_once = SCANNED * READAHEAD
        check_size(path, columns, file.metadata, min(1.0, at_once / max(1, file.metadata.num_rows)))
    data = ds.dataset(path, format="parquet")
    condition = None if wanted is None else ds.field("prompt_id").isin(wanted)
    kept = [name for name in columns if name in data.schema.names]
    for batch in data.scanner(kept, filter=condition, batch_size=SCANNED).to_batches():
        if len(batch):
            yield pa.Table.from_batches([batch])


def packed(table: pa.Table) -> bytes:
    """As small as Parquet gets: texts that hardly repeat are smaller without a dictionary."""
    sink = io.BytesIO()
    repeated = [name for name in table.column_names if name != "response"]
    pq.write_table(table, sink, compression="zstd", compression_level=19, use_dictionary=repeated)
    return sink.getvalue()


def packed_file(path: Path) -> bytes:
    return packed(read_table(path))


def read_packed(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


@contextmanager
def _said(path: Path) -> Generator[None]:
    """What the library raises, as one line."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except UnicodeEncodeError as error:
        raise UserError(no_name(error)) from None
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} cannot be read ({reason}); it was cut off or is of another kind") from None
