import os
import random
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.parquet import scan_table
from openrlhf_unlearn.store.run_dir import read_table
from openrlhf_unlearn.store.table_size import SMALL, check_size, unpacked

TEXT = "x" * 1_000_000


def repeated(times: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([TEXT]))


def nested(times: int) -> pa.Array:
    ends = pa.array(range(times + 1), pa.int32())
    return pa.ListArray.from_arrays(ends, pa.StructArray.from_arrays([repeated(times)], ["content"]))


def large(times: int) -> pa.Array:
    """As Polars writes lists."""
    return pa.LargeListArray.from_arrays(pa.array(range(times + 1), pa.int64()), repeated(times))


@pytest.mark.parametrize("column", [repeated, nested, large])
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_without_unpacking_it(tmp_path, column):
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"prompt_id": column(500_000)}), path, compression="zstd", store_schema=column is large)
    assert path.stat().st_size < 30_000
    peak = pa.default_memory_pool().max_memory()  # of the tests before this one
    with pytest.raises(UserError, match=r"bomb.parquet unpacks to \d+\.\d GB or more, too much for"):
        read_table(path)
    assert pa.default_memory_pool().max_memory() < max(peak + 1, 10**9)
    with pytest.raises(UserError, match="too much"):
        read_table(path, ["prompt_id"])
    assert read_table(path, []).num_rows == 500_000  # what is not read does not count


def long_texts(rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 10_000]))


def test_a_large_column_beside_it_hides_no_bomb(tmp_path, monkeypatch):
    path, rows = tmp_path / "bomb.parquet", 200_000
    noise = pa.FixedSizeBinaryArray.from_buffers(pa.binary(100), rows, [None, pa.py_buffer(os.urandom(100 * rows))])
    pq.write_table(pa.table({"response": long_texts(rows), "noise": noise}), path, store_schema=False)
    assert path.stat().st_size > SMALL
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**28))
    with pytest.raises(UserError, match="too much for"):
        read_table(path)


def test_a_scan_is_refused_where_what_it_reads_at_once_is_too_much(tmp_path, monkeypatch):
    path, rows = tmp_path / "bomb.parquet", 400_000
    pq.write_table(pa.table({"prompt_id": ["a"] * rows, "response": long_texts(rows)}), path, store_schema=False)
    for available, refused in ((2**32, False), (2**28, True)):  # 4 GB in all, 1.3 GB at once
        monkeypatch.setattr("psutil.virtual_memory", lambda free=available: SimpleNamespace(available=free))
        scan = scan_table(path, ["response"], pa.array(["b"]))
        if refused:
            with pytest.raises(UserError, match="too much for"):
                list(scan)
        else:
            assert list(scan) == []


@settings(max_examples=30)
@given(st.lists(st.text("ab", max_size=9), min_size=1, max_size=200), st.booleans(), st.integers(1, 100))
def test_the_size_of_texts_is_at_least_what_they_are(tmp_path_factory, texts, dictionary, group):
    path = tmp_path_factory.mktemp("t") / "t.parquet"
    texts = texts * 20
    random.Random(0).shuffle(texts)
    table = pa.table({"a": texts, "b": [[text, None] for text in texts], "c": range(len(texts))})
    pq.write_table(table, path, use_dictionary=dictionary, row_group_size=group)
    everything = sum(map(len, texts))
    assert unpacked(path, ["a"], everything / 2, pq.read_metadata(path)) > everything / 2  # told as soon as it matters
    assert unpacked(path, None, everything, pq.read_metadata(path)) > everything
    check_size(path, None, pq.read_metadata(path))
    assert read_table(path).num_rows == len(texts)
