import json

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.data_check import check_data_file, check_model


def jsonl(tmp_path, *rows):
    path = tmp_path / "data.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


good = {"prompt": "1+1=", "label": "2"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no rows"),
        ([good, "{oops"], "line 2 is not JSON"),
        ([good, {"prompt": "x"}], "line 2 has no key 'label'"),
        ([good, {"prompt": "x", "label": None}], "line 2 has an empty 'label'"),
        ([good, {"label": "2"}], "line 2 has no key 'prompt'"),
        ([good, "[1]"], "line 2 is no object"),
    ],
)
def test_a_broken_row_is_named(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        check_data_file(jsonl(tmp_path, *rows), "prompt", "label")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        check_data_file(tmp_path / "none.jsonl", "prompt", "label")


def test_a_truncated_parquet_is_named(tmp_path):
    path = tmp_path / "data.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="data.parquet cannot be read"):
        check_data_file(path, "prompt", "label")


def test_repeated_rows_are_told_and_other_images_are_no_repetition(tmp_path, capsys):
    pairs = check_data_file(jsonl(tmp_path, good, good, {"prompt": "1+1=", "label": "3"}), "prompt", "label")
    assert len(pairs) == 2
    assert "repeats 1 prompts" in capsys.readouterr().out
    check_data_file(
        jsonl(tmp_path, {**good, "images": "a.png"}, {**good, "images": "b.png"}), "prompt", "label", "images"
    )
    assert capsys.readouterr().out == ""


def test_a_json_list_is_read_and_its_line_named(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([good]))
    assert check_data_file(path, "prompt", "label") == {('"1+1="', "2"): "row 1"}
    path.write_text('[{"prompt": "a",\n "label": }]')
    with pytest.raises(UserError, match="line 2 is not JSON"):
        check_data_file(path, "prompt", "label")


def test_a_model_folder_without_tokenizer_is_named(tmp_path):
    with pytest.raises(UserError, match="no config.json"):
        check_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="has no tokenizer"):
        check_model(str(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        check_model(str(tmp_path / "nowhere"))
    check_model("Qwen/Qwen2.5-0.5B")  # a hub id is the hub's to check
