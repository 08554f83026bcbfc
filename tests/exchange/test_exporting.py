"""Lists, data sets and the way back to the user's own rows."""

import json

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.collect.selection import read_ids
from openrlhf_unlearn.store.run_dir import read_json, update_summary, write_json
from tests.labels.runs import ids, make_run

GROUPS = ["easy", "learnable", "unlearnable", "no_reward"]


@pytest.fixture
def run(tmp_path):
    made = make_run(tmp_path / "run", [20, 1, 1, 0], [32, 30, 2, 0], [8, 4, 1, 0])
    assert cli.main(["classify", str(made)]) == 0
    return made


@pytest.fixture
def data(tmp_path, run):
    """The user's own data set, in another order and with a row twice; the host reads it."""
    pytest.importorskip("openrlhf")
    rows = [{"q": f"question {i}", "a": str(i), "uid": 100 + i} for i in (3, 0, 1, 2, 0)]
    rows[-1]["uid"] = 200
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = read_json(run.run_json)
    args = {"data": {"prompt_dataset": str(path), "input_key": "q", "label_key": "a"}}
    write_json(run.run_json, {**config, "args": args})
    return path


def export(run, output, *flags) -> int:
    return cli.main(["export", str(run), "--output", str(output), *map(str, flags)])


def test_id_lists(run, tmp_path):
    assert export(run, tmp_path / "groups.json") == 0
    lists = read_json(tmp_path / "groups.json")
    assert {name: lists[name] for name in GROUPS} == {name: [ids(4)[i]] for i, name in enumerate(GROUPS)}
    assert lists["mixed"] == []


def test_skip_list_is_what_training_reads(run, tmp_path):
    assert export(run, tmp_path / "skip.json", "--format", "skip") == 0
    assert read_ids(str(tmp_path / "skip.json")) == {ids(4)[2], ids(4)[3]}
    assert export(run, tmp_path / "x.json", "--format", "skip", "--groups", "hard") == 2


def test_back_to_the_users_ids(run, data, tmp_path):
    assert export(run, tmp_path / "groups.json", "--id-column", "uid") == 0
    lists = read_json(tmp_path / "groups.json")
    assert {name: lists[name] for name in GROUPS} == {
        "easy": [100, 200],
        "learnable": [101],
        "unlearnable": [102],
        "no_reward": [103],
    }


def read_dataset(path):
    from datasets import load_from_disk

    return load_from_disk(str(path))


def test_dataset_of_the_users_rows(run, data, tmp_path):
    assert export(run, tmp_path / "labelled", "--format", "dataset", "--id-column", "uid") == 0
    rows = read_dataset(tmp_path / "labelled")
    assert [row["unlearn_group"] for row in rows] == ["no_reward", "easy", "learnable", "unlearnable", "easy"]
    assert rows[0]["uid"] == 103
    assert export(run, tmp_path / "labelled", "--format", "dataset") == 1  # never over another folder


def test_dataset_of_the_prompts(run, tmp_path):
    pytest.importorskip("datasets")
    assert export(run, tmp_path / "labelled", "--format", "dataset") == 0
    rows = {row["prompt"]: row for row in read_dataset(tmp_path / "labelled")}
    assert {f"question {i}": name for i, name in enumerate(GROUPS)} == {p: row["group"] for p, row in rows.items()}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--id-column", "nothing"), "no column 'nothing'; it has q, a, uid"),
        (("--id-column", "uid", "--data", "other.jsonl"), "no row of the data set is a prompt of"),
        (("--id-column", "q", "--format", "verl-csv"), "must be whole numbers"),
    ],
)
def test_refusals(run, data, tmp_path, capsys, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.jsonl").write_text('{"q": "unknown", "a": "1", "uid": 1}\n')
    capsys.readouterr()
    assert export(run, tmp_path / "out", *flags) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_needs_a_classified_run(run, tmp_path, capsys):
    run.learnability.unlink()
    update_summary(run, "x", 1)
    assert export(run, tmp_path / "g.json") == 1
    assert "openrlhf-unlearn classify" in capsys.readouterr().err
