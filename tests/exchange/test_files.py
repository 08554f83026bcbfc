"""Rows come out of files as they went in, however people keep them."""

import csv
import json
import pickle
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.exchange.files import find_files, rows_of
from tests.exchange.cli import write_lines

ROWS = [{"prompt": "a\u2028b\u0085c\u2029d\x1ce", "reward": 1}, {"prompt": "x", "reward": None}]


def read(path) -> list:
    return [row for _, row in rows_of(path)]


@pytest.mark.parametrize("compress", [None, "gzip", "zstd"])
def test_json_lines_end_at_line_feeds_only(tmp_path, compress):
    path = write_lines(tmp_path / "a.jsonl", ROWS, compress)
    assert read(path) == ROWS
    assert [where for where, _ in rows_of(path)] == ["line 1", "line 2"]


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), min_size=1, max_size=5))
def test_whatever_text_json_holds_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    assert read(write_lines(path, rows)) == rows
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert read(path) == rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_marks_and_line_ends(tmp_path, encoding, end):
    (tmp_path / "a.jsonl").write_bytes((end.join(map(json.dumps, ROWS)) + end).encode(encoding))
    assert read(tmp_path / "a.jsonl") == ROWS
    (tmp_path / "a.csv").write_bytes(end.join(["prompt,reward", "é,1", ""]).encode(encoding))
    assert read(tmp_path / "a.csv") == [{"prompt": "é", "reward": "1"}]


def test_one_object_over_many_lines_is_one_row(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"samples": [1, 2]}, indent=2))
    assert read(tmp_path / "a.json") == [{"samples": [1, 2]}]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_what_stands_between_values_is_read_off_the_header(tmp_path, mark):
    (tmp_path / "a.csv").write_text(f'prompt{mark}reward\n"a,b;c\td"{mark}1\n')
    assert read(tmp_path / "a.csv") == [{"prompt": "a,b;c\td", "reward": "1"}]


def test_endings_in_capitals(tmp_path):
    (tmp_path / "A.CSV").write_text("prompt,reward\nq,1\n")
    assert read(tmp_path / "A.CSV") == [{"prompt": "q", "reward": "1"}]


def test_csv_fields_of_any_length(tmp_path):
    with (tmp_path / "a.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([["prompt", "response"], ["q", "x\n" * 200_000]])
    assert len(read(tmp_path / "a.csv")[0]["response"]) == 400_000


def test_parquet_with_lists_and_objects(tmp_path):
    rows = [{"prompt": [{"role": "user", "content": "q"}], "rewards": [0.0, None]}] * 5000
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == rows


def test_torch_files_are_loaded_without_running_their_code(tmp_path):
    torch = pytest.importorskip("torch")
    import numpy as np

    value = {"samples": [{"reward": 1.0, "tokens": torch.tensor([1, 2]), "experts": np.zeros(2, "f4")}]}
    torch.save(value, tmp_path / "a.pt")
    assert read(tmp_path / "a.pt")[0]["samples"][0]["reward"] == 1.0
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return (open, (str(touched), "w"))

    torch.save({"samples": [Evil()]}, tmp_path / "b.pt")
    with pytest.raises(UserError, match="b.pt cannot be loaded without running code"):
        read(tmp_path / "b.pt")
    assert not touched.exists()


def test_a_bare_pickle_is_one_line_without_a_word_of_torch(tmp_path, recwarn):
    pytest.importorskip("torch")
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"samples": []}, protocol=4))
    with pytest.raises(UserError, match="a.pt cannot be loaded without running code from it .Unsupported"):
        read(tmp_path / "a.pt")
    assert not [str(warning.message) for warning in recwarn]


def test_a_file_that_grows_is_read_to_its_last_whole_line(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    assert [row["a"] for _, row in rows_of(tmp_path / "a.jsonl", growing=True)] == [1, 2]
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a"\n')
    with pytest.raises(UserError, match="line 2 is not JSON"):
        list(rows_of(tmp_path / "a.jsonl", growing=True))


def test_an_archive_with_a_broken_sample_is_one_line(tmp_path):
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/1_epoch_1.json", json.dumps({"input": "q" * 999}))
    content = bytearray(path.read_bytes())
    start = content.index(b".json") + 5  # of the compressed sample
    content[start : start + 4] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(UserError, match="a.eval cannot be read"):
        read(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_holds_a_sample_twice_has_its_last(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as archive:
        for value in (1, 2):
            archive.writestr("samples/1_epoch_1.json", json.dumps({"value": value}))
    assert read(tmp_path / "a.eval") == [{"value": 2}]


BROKEN = {
    "a.jsonl": (b'{"a": 1}\n{"b', "line 2 is not JSON"),
    "b.jsonl": (b'{"a": "\xe4"}\n', "is no UTF-8 text"),
    "c.jsonl.gz": (b"\x1f\x8b\x08\x00cut", "c.jsonl.gz cannot be read"),
    "d.jsonl.zst": (pa.compress(b'{"a": 1}\n' * 99, "zstd", asbytes=True)[:-4], "d.jsonl.zst"),
    "e.parquet": (b"PAR1cut", "e.parquet cannot be read"),
    "f.json": (b"[1, 2", "line 1 is not JSON"),
    "g.eval": (b"PK no archive", "g.eval cannot be read"),
    "h.jsonl": (b"[" * 100_000, "h.jsonl"),
    "j.csv": (b"prompt,reward,reward\nq,1,0\n", "j.csv has several columns of the name 'reward'"),
    "k.csv": (b"prompt,response,reward\nq,(3,4),1\n", "k.csv: line 2 has more values than the header has names"),
    "i.parquet": (b"", "i.parquet cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_one_line(tmp_path, name):
    content, message = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


def test_files_are_found_in_folders_and_by_globs_at_any_depth(tmp_path):
    paths = [tmp_path / "a" / "b" / "1.jsonl", tmp_path / "a" / "2.jsonl.zst", tmp_path / "3.jsonl"]
    for path in paths:
        write_lines(path, ROWS)
    assert find_files(str(tmp_path / "**" / "*.jsonl*"), ("*",)) == sorted(paths)
    assert find_files(str(tmp_path), ("*.csv", "**/*.jsonl")) == sorted(paths)
    assert find_files(str(tmp_path), ("*.jsonl",)) == [tmp_path / "3.jsonl"]
    write_lines(tmp_path / "3.jsonl.zst", ROWS, "zstd")  # is just being compressed
    assert find_files(str(tmp_path), ("*.jsonl",)) == [tmp_path / "3.jsonl"]
    (tmp_path / "4.jsonl").symlink_to("gone")  # to pass over it would hide a step
    assert find_files(str(tmp_path), ("*.jsonl",)) == [tmp_path / "3.jsonl", tmp_path / "4.jsonl"]
    with pytest.raises(UserError, match="4.jsonl: no such file"):
        read(tmp_path / "4.jsonl")
    with pytest.raises(UserError, match=r"no file \*.csv there"):
        find_files(str(tmp_path), ("*.csv",))
