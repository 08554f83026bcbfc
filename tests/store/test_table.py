"""A table is its class: columns by attribute, nulls for what an older file lacks, and one line for a damaged one."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.parquet import read_table, write_table
from openrlhf_unlearn.store.prompts import CAUSES, Causes, Prompts
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Clipping, Rewards

SAMPLE = {"prompt_id": ["a", "b"], "sample": [0, 0], "response": ["x", None], "verdict": ["correct", "wrong"]}


def test_what_was_written_comes_back_as_columns_and_as_rows(tmp_path):
    run = RunDir(tmp_path)
    Evaluations.of(**SAMPLE, reward=np.array([1.0, np.nan])).write(run, "final")
    found = Evaluations.read(run, "final")
    assert len(found) == 2 and found.prompt_id == ["a", "b"] and found.response == ["x", None]
    assert found[Evaluations.reward].null_count == 1 and found.reward[0] == 1 and np.isnan(found.reward[1])
    assert [(row.prompt_id, row.reward) for row in found.rows()] == [("a", 1.0), ("b", None)]
    assert found.by_prompt()["b"].verdict == "wrong"
    assert found.places(pa.array(["b", "c"])).tolist() == [-1, 0]


def test_an_optional_column_is_in_the_file_only_where_it_was_given(tmp_path):
    Evaluations.of(**SAMPLE, reward=[1.0, 0.0]).save(tmp_path / "a.parquet")
    Evaluations.of(**SAMPLE, reward=[1.0, 0.0], positive=[False, None]).save(tmp_path / "b.parquet")
    six = ["prompt_id", "sample", "response", "reward", "verdict", "n_tokens"]
    assert read_table(tmp_path / "a.parquet").column_names == six
    assert read_table(tmp_path / "b.parquet").column_names == [*six, "positive"]
    without, given = (Evaluations.open(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert not without.has(Evaluations.positive) and given.has(Evaluations.positive)
    assert without.hits().tolist() == [True, False] and given.hits().tolist() == [False, False]
    assert given.hits(threshold=0.5).tolist() == [True, False]


def test_a_column_that_was_not_read_is_an_error_and_one_of_a_later_version_is_null(tmp_path):
    run = RunDir(tmp_path)
    old = {"step": [1], "prompt_id": ["a"], "processed": [False], "n": [8], "n_positive": [1], "mean_reward": [0.1]}
    write_table(run.step_file("rewards", 1), pa.table(old))
    found = Rewards.read(run, Rewards.n, Rewards.pass_rate)
    assert found.n.tolist() == [8] and np.isnan(found.pass_rate).all() and found.rows()[0].pass_rate is None
    with pytest.raises(KeyError, match="read without n_positive"):
        found.n_positive  # noqa: B018
    assert Rewards.read(run).wrong_answers == [None]


def test_steps_are_joined_in_order_and_a_row_takes_the_step_that_it_is_written_to(tmp_path):
    run = RunDir(tmp_path)
    assert len(Clipping.read(run)) == 0 and Clipping.read(run, Clipping.step).step.tolist() == []
    for step in (10, 2):
        Clipping.of_rows([Clipping.Row(prompt_id="a", n_positive=step)]).write(run, step)
    assert Clipping.read(run, Clipping.step, Clipping.n_positive).rows() == [(2, 2), (10, 10)]


@pytest.mark.parametrize("columns", [(), (Prompts.prompt_id, Prompts.label)])
def test_a_damaged_table_is_one_line(tmp_path, columns):
    write_table(tmp_path / "prompts.parquet", pa.table({"prompt_id": ["a"], "prompt": ["b"]}))
    with pytest.raises(UserError, match="has no column 'label'; it has prompt_id, prompt"):
        Prompts.read(RunDir(tmp_path), *columns)
    write_table(tmp_path / "prompts.parquet", pa.table({"prompt_id": [1], "prompt": ["b"], "label": ["c"]}))
    with pytest.raises(UserError, match="its column 'prompt_id' holds int64, not text"):
        Prompts.read(RunDir(tmp_path), *columns)


def test_a_name_that_is_no_column_is_refused():
    with pytest.raises(TypeError, match="Clipping has no column 'n_postive'"):
        Clipping.of(prompt_id=["a"], n_postive=[1])
    with pytest.raises(TypeError):
        Clipping.Row(n_postive=1)


def test_every_cause_has_its_probability():
    assert [f"p_{cause}" for cause in CAUSES] == [name for name in Causes.columns if name.startswith("p_")]
