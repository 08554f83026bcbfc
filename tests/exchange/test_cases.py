"""Synthetic files in the formats of others, where they lie beside a checkout: counted by hand-written readers."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.exchange.cli import counts, evaluated, imported

CASES = Path(__file__).parents[3] / "shared" / "cases" / "imports"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"no files in {CASES}")


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8-sig").split("\n") if line]


def tally(rows: list[dict], reward) -> tuple[int, int]:
    """(rollouts, positive ones), of those that have a reward."""
    rewards = [value for row in rows if (value := reward(row)) is not None]
    return len(rewards), sum(value > 0.5 for value in rewards)


def weighted(row: dict) -> float:
    return sum(
        reward["score"] * reward["weight"] for trace in row.get("traces", [row]) for reward in trace["rewards"].values()
    )


@pytest.mark.parametrize("name", ["verl_u2028", "verl_bom", "verl_accstr", "verl_gtsdict"])
def test_verl(tmp_path, name):
    assert imported("verl", CASES / name, tmp_path / "run") == 0
    assert {step: found[1:] for step, found in counts(tmp_path / "run").items()} == {
        1: tally(lines(f"{name}/1.jsonl"), lambda row: row["score"])
    }


@pytest.mark.parametrize(("name", "steps"), [("one", (1, 2)), ("none", (1, 2)), ("dup", (1,))])
def test_trl(tmp_path, name, steps):
    assert imported("trl", CASES / "trl" / name, tmp_path / "run") == 0
    expected = {}
    for step in steps:
        rows = pq.read_table(CASES / "trl" / name / "completions" / f"completions_{step:05d}.parquet").to_pylist()
        expected[step] = tally(rows, lambda row: row["accuracy_reward"])
    assert {step: found[1:] for step, found in counts(tmp_path / "run").items()} == expected


@pytest.mark.parametrize("name", ["prime_trace", "prime_episode"])
def test_prime_rl(tmp_path, name):
    assert imported("prime-rl", CASES / name, tmp_path / "run") == 0
    for processed, subset in ((False, "all"), (True, "effective")):
        found = counts(tmp_path / "run", processed)
        for step in (1, 2):
            rows = lines(f"{name}/rollouts/step_{step}/train/{subset}/traces.jsonl")
            assert found[step] == (10, *tally(rows, weighted))


@pytest.mark.parametrize("name", ["prime_v0", "prime_err"])
def test_prime_rl_before_traces(tmp_path, name):
    assert imported("prime-rl", CASES / name, tmp_path / "run") == 0
    rows = lines(f"{name}/rollouts/step_1/train_rollouts.jsonl")
    assert counts(tmp_path / "run")[1][1:] == tally(rows, lambda row: row["reward"])


@pytest.mark.parametrize("source", ["areal", "areal/rollout", "areal/rollout/**/*.jsonl"])
def test_areal(tmp_path, source):
    assert imported("areal", CASES / source, tmp_path / "run") == 0
    for step, found in counts(tmp_path / "run").items():
        rows = [row for path in (CASES / "areal/rollout" / str(step)).iterdir() for row in lines(path)]
        assert found == (10, *tally(rows, lambda row: row["reward"]))


FILES = {
    "nemo-rl": ("nemo/train_data_step1.jsonl", lambda row: row["rewards"][0]),
    "open-instruct": ("openinstruct/run_rollouts_000000.jsonl", lambda row: row["reward"]),
}


@pytest.mark.parametrize("form", FILES)
def test_one_file(tmp_path, form):
    name, reward = FILES[form]
    assert imported(form, CASES / name, tmp_path / "run") == 0
    assert counts(tmp_path / "run")[1][1:] == tally(lines(name), reward)


def test_roll(tmp_path):
    assert imported("roll", CASES / "roll", tmp_path / "run") == 0
    (columns,) = lines("roll/rollout_dump_data.step_1.jsonl")
    assert counts(tmp_path / "run") == {1: (10, 80, int(sum(columns["scores"])))}


def test_slime(tmp_path):
    pytest.importorskip("torch")
    assert imported("slime", CASES / "slime_0.pt", tmp_path / "run") == 0
    assert counts(tmp_path / "run") == {0: (1, 1, 1)}


def test_lm_eval(tmp_path):
    assert imported("lm-eval", CASES / "lmeval", tmp_path / "run", "--tag", "final") == 0
    found = [row["reward"] for row in evaluated(tmp_path / "run", "final")]
    assert found == [row["exact_match"] for row in lines("lmeval/samples_math.jsonl")]


@pytest.mark.parametrize("name", ["bom.csv", "bool.csv", "reward_none.jsonl", "step_float.jsonl"])
def test_odd_values(tmp_path, name):
    assert imported("jsonl", CASES / "odd" / name, tmp_path / "run") == 0
    ((_, *found),) = counts(tmp_path / "run").values()
    rows = pd.read_csv(CASES / "odd" / name).to_dict("records") if name.endswith("csv") else lines(f"odd/{name}")
    assert tuple(found) == tally(rows, lambda row: row["reward"])
