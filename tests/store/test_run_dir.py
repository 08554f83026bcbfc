import json
import os
import re
import subprocess

import pyarrow as pa
import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import (
    SCHEMA_VERSION,
    RunDir,
    atomic_path,
    prompt_id,
    read_json,
    read_table,
    write_json,
    write_table,
)
from openrlhf_unlearn.store.summary import Summary, update_summary
from openrlhf_unlearn.store.training import Clipping, Rewards, TrainingRollouts, drop_after
from tests.tables import of_dicts


def test_a_prompt_id_is_stable_and_tells_prompt_from_label():
    assert prompt_id("1+1=", "2") == "15c4b21b841ff37f"  # fixed for ever: run directories hold it
    assert prompt_id("ab", "c") != prompt_id("a", "bc")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "sub" / "x.json"
    with pytest.raises(RuntimeError), atomic_path(target) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    write_json(target, {"a": 1})
    assert json.loads(target.read_text()) == {"a": 1}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*file"):
        write_json(tmp_path / "file" / "x.json", {})


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB; mounting one takes rights that not everybody has."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_line_and_leaves_whole_files_only(small_disk):
    run = RunDir(small_disk / "run")
    row = {"prompt_id": "0" * 16, "sample": 0, "reward": 1.0, "verdict": "correct"}
    written = 0
    with pytest.raises(UserError, match=r"cannot write .*step-\d+\.parquet: .*No space left on device; free space"):
        for written in range(1, 100):
            of_dicts(TrainingRollouts, [row | {"response": os.urandom(2000).hex()}]).write(run, written)
    assert run.steps("rollouts") == list(range(1, written))
    assert TrainingRollouts.read(run).arrow.num_rows == written - 1
    assert [path.name for path in (run.path / "rollouts").glob(".*")] == []


def test_open_refuses_what_is_no_run_of_this_schema(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        RunDir.open(tmp_path / "none")
    with pytest.raises(UserError, match="no run.json"):
        RunDir.open(tmp_path)
    write_json(tmp_path / "run.json", {"schema_version": SCHEMA_VERSION + 1})
    with pytest.raises(UserError, match="schema version"):
        RunDir.open(tmp_path)
    (tmp_path / "run.json").write_text('{"schema_version":')
    with pytest.raises(UserError, match="not valid JSON"):
        RunDir.open(tmp_path)


def test_truncated_tables_are_named(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, pa.table({"a": [1, 2]}))
    assert read_table(path).to_pylist() == [{"a": 1}, {"a": 2}]
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match="t.parquet cannot be read"):
        read_table(path)


def test_steps_are_files_and_late_ones_go(tmp_path):
    run = RunDir(tmp_path)
    row = {"prompt_id": "a", "positive_clip_fraction": None, "negative_clip_fraction": 0.5}
    for step in (1, 2, 10):
        of_dicts(Clipping, [{**row, "n_positive": 0, "n_negative": 8}]).write(run, step)
    assert run.steps("clipping") == [1, 2, 10]
    assert Clipping.read(run).arrow.column("step").to_pylist() == [1, 2, 10]
    assert Rewards.read(run).arrow.num_rows == 0
    assert drop_after(run, 2) == 1
    assert run.steps("clipping") == [1, 2]


def test_a_rollout_is_positive_as_its_run_said_and_by_its_reward_where_it_said_nothing():
    rewards = pa.array([0.4, 0.9, 0.9, None, float("nan")])
    by_reward = pa.table({"reward": rewards})
    said = by_reward.append_column("positive", pa.array([True, False, None, True, None]))
    assert TrainingRollouts(by_reward).hits().tolist() == [False, True, True, False, False]
    assert TrainingRollouts(said).hits().tolist() == [True, False, True, True, False]
    silent = by_reward.append_column("positive", pa.nulls(5))
    assert TrainingRollouts(silent).hits().tolist() == TrainingRollouts(by_reward).hits().tolist()


def test_a_data_set_of_the_users_may_call_its_columns_as_ours_are_called(tmp_path):
    table = pa.table({"prompt": [[{"role": "user", "content": "1+1"}]], "label": [2]})
    for name in ("prompts.parquet", "rewards/step-000001.parquet"):
        write_table(tmp_path / name, table)
        assert read_table(tmp_path / name).equals(table)
    write_json(tmp_path / "run.json", {})
    with pytest.raises(UserError, match="has no column 'prompt_id'"):
        Prompts.read(RunDir(tmp_path))


def test_a_run_says_what_it_knows_and_nothing_else(tmp_path):
    run = RunDir(tmp_path)
    assert not run.config(required=False) and run.config(required=False).flag("actor.adam.lr", 1) == 1
    RunConfig.new(model="m", args={"actor": {"adam": {"lr": 2.0}, "x": None}}, positive={"threshold": 0.7}).write(
        run.run_json
    )
    config = run.config()
    assert (config.model, config.initial_model, config.seed, config.command, config.threshold) == (
        "m",
        "m",
        None,
        "",
        0.7,
    )
    assert config.flag("actor.adam.lr") == 2.0 and config.flag("actor.x", 3) == 3 and config.flag("model.a.b") is None
    config.changed(command="train").write(run.run_json)
    assert run.config().command == "train" and run.config().model == "m"


def test_a_run_of_an_earlier_schema_is_brought_to_this_one(tmp_path, monkeypatch):
    write_json(tmp_path / "run.json", {"schema_version": SCHEMA_VERSION - 1, "base": "m"})
    with pytest.raises(UserError, match="schema version"):
        RunDir.open(tmp_path)
    now = {SCHEMA_VERSION - 1: lambda old: {"schema_version": SCHEMA_VERSION, "model": old["base"]}}
    monkeypatch.setattr("openrlhf_unlearn.store.config._MIGRATIONS", now)
    assert RunDir.open(tmp_path).config().model == "m"


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (None, "has no schema_version"),
        ("1", "its schema_version is no whole number but '1'; write 1"),
        (True, "its schema_version is no whole number but True"),
        (0, "has schema version 0, which this openrlhf-unlearn reads no more; train or import again"),
        (SCHEMA_VERSION + 1, "newer openrlhf-unlearn, this one reads 1: pip install -U openrlhf-unlearn"),
    ],
)
def test_a_version_that_cannot_be_read_says_what_to_do(tmp_path, version, says):
    write_json(tmp_path / "run.json", {} if version is None else {"schema_version": version})
    with pytest.raises(UserError, match=re.escape(says)):
        RunDir.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("positive", {"threshold": "0.3"}, "positive.threshold is no finite number but '0.3'"),
        ("positive", {"threshold": True}, "positive.threshold is no finite number but True"),
        ("positive", {"threshold": float("nan")}, "positive.threshold is no finite number but nan"),
        ("positive", {"given": "yes"}, "positive.given is no true or false but 'yes'"),
        ("positive", [], "positive is no JSON object"),
        ("seed", "x", "seed is no whole number but 'x'"),
        ("data", 5, "data is no text but 5"),
        ("run_id", 7, "run_id is no text but 7"),
        ("args", {"actor": [1]}, "args.actor is no JSON object but [1]"),
    ],
)
def test_a_value_of_another_kind_in_run_json_is_named(tmp_path, name, value, kind):
    values = {"schema_version": SCHEMA_VERSION, name: value}
    (tmp_path / "run.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=re.escape(f"run.json: its {kind}")):
        RunDir.open(tmp_path)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"schema_version": 99}, "newer openrlhf-unlearn"),
        ({"models": 5}, "its models is no list of texts but 5"),
        ({"classify": []}, "its classify is no JSON object"),
        ({"classify": {"threshold": "0.3"}}, "its classify.threshold is no finite number but '0.3'"),
    ],
)
def test_a_summary_of_a_later_version_or_another_kind_is_refused_and_stays(tmp_path, values, says):
    run = RunDir(tmp_path)
    write_json(run.summary, values)
    for use in (lambda: Summary.read(run), lambda: update_summary(run, "classify", {})):
        with pytest.raises(UserError, match=re.escape(says)):
            use()
    assert read_json(run.summary) == values


def test_a_summary_without_a_version_is_of_the_first_and_gets_one_when_it_is_written(tmp_path):
    run = RunDir(tmp_path)
    write_json(run.summary, {"models": ["a"]})
    assert Summary.read(run).models == ["a"]
    update_summary(run, "classify", {"tau": 0.1})
    assert read_json(run.summary) == {"models": ["a"], "schema_version": 1, "classify": {"tau": 0.1}}


def test_what_one_command_finds_leaves_what_others_found(tmp_path):
    run = RunDir(tmp_path)
    assert Summary.read(run).classify == {} and Summary.read(run).models == []
    update_summary(run, "models", ["a"])
    update_summary(run, "classify", {"tau": 0.1})
    assert Summary.read(run).models == ["a"] and Summary.read(run).classify == {"tau": 0.1}
