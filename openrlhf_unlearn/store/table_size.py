"""What a Parquet file unpacks to, before it is read: a file of 30 kB can hold a long text a million times."""

from collections.abc import Sequence
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from openrlhf_unlearn.errors import UserError

SHARE = 0.5  # of the free memory that one table may take
SMALL = 2**24  # bytes: a larger column is taken to hold what it unpacks to, repeated texts apart


def check_size(path: Path, columns: Sequence[str] | None, metadata: pq.FileMetaData, share: float = 1.0) -> None:
    """Raise UserError where the columns (None: all) of the file would not fit into SHARE of the free memory; `share`:
    of its rows, as many as are in memory at once."""
    free = psutil.virtual_memory().available
    most = free * SHARE / share
    size = unpacked(path, columns, most, metadata)
    if size > most:
        raise UserError(
            f"{path} unpacks to {size / 1e9:.1f} GB or more, too much for the {free / 1e9:.1f} GB of memory that are "
            "free; is it what it should be? Split it, or use a larger machine"
        )


def unpacked(path: Path, columns: Sequence[str] | None, most: float, metadata: pq.FileMetaData) -> float:
    """Bytes that the columns take in memory; no more is counted once they are over `most`."""
    chunks = [
        (i, metadata.row_group(i).column(j))
        for i in range(metadata.num_row_groups)
        for j in range(metadata.num_columns)
    ]
    chunks = [(i, c) for i, c in chunks if columns is None or c.path_in_schema.split(".")[0] in columns]
    size = sum(chunk.total_uncompressed_size + 8 * chunk.num_values for _, chunk in chunks)
    if size > most:
        return size
    # A text that repeats is stored once, and its chunk says no more than how often there is any.
    for i, chunk in chunks:
        large = chunk.total_uncompressed_size * chunk.num_values > most
        if chunk.physical_type == "BYTE_ARRAY" and large and chunk.total_compressed_size <= SMALL:
            with pq.ParquetFile(path, read_dictionary=[chunk.path_in_schema]) as file:
                size += sum(map(_texts, file.read_row_group(i, [chunk.path_in_schema]).columns))
            if size > most:
                break
    return size


def _texts(array: pa.ChunkedArray | pa.Array) -> int:
    """Bytes of the texts of a column that was read as its distinct values, nested or not."""
    if isinstance(array, pa.ChunkedArray):
        return sum(map(_texts, array.chunks))
    if isinstance(array, pa.DictionaryArray):
        return pc.sum(pc.binary_length(array.dictionary).cast(pa.int64()).take(array.indices)).as_py() or 0
    if isinstance(array, pa.StructArray):
        return sum(map(_texts, array.flatten()))
    return _texts(array.flatten()) if isinstance(array, (pa.ListArray, pa.LargeListArray)) else array.nbytes
