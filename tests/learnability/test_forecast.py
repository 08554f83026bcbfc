"""The forecast finds what is there to find, says how good it is, and claims nothing where nothing is."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.learnability.forecast import cross_validated, skipping
from openrlhf_unlearn.run_dir import read_json, read_table, write_table
from tests.learnability.runs import ids, make_run


@pytest.fixture
def run(tmp_path):
    """120 hard prompts: those with more initial positives were learned more often."""
    rng = np.random.default_rng(0)
    initial = np.concatenate([rng.integers(0, 3, 120), np.full(10, 20)])
    learned = rng.random(130) < np.array([0.15, 0.5, 0.85] + [1] * 18)[initial]
    made = make_run(tmp_path / "run", initial, np.where(learned, 25, 1), [1] * 130)
    assert cli.main(["classify", str(made)]) == 0
    return made


def test_a_run_forecasts_itself_out_of_fold(run, capsys):
    assert cli.main(["forecast", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "cross-validated AUC" in printed and "calibration" in printed and "skipping" in printed
    quality = read_json(run.summary)["forecast"]
    assert 0.65 < quality["auc"] < 0.95 and quality["brier"] < quality["brier_of_the_share_alone"]
    assert quality["calibration_error"] < 0.12
    low, high = quality["auc_interval"]
    assert low < quality["auc"] < high
    table = read_table(run.path / "forecast.parquet")
    assert table.num_rows == 120 and "classify" in read_json(run.summary)


def test_a_new_run_is_forecast_from_its_initial_evaluation(run, tmp_path, capsys):
    new = make_run(tmp_path / "new", [0, 0, 2, 2, 25], [0] * 5)
    assert cli.main(["forecast", str(run), "--to", str(new)]) == 0
    assert "AUC" in capsys.readouterr().out
    risk = {row["prompt_id"]: row["risk"] for row in read_table(new.path / "forecast.parquet").to_pylist()}
    assert set(risk) == set(ids(5)[:4])  # the easy one has no risk to tell
    assert risk[ids(5)[0]] > 0.6 > 0.4 > risk[ids(5)[2]]


def test_the_probe_is_used_where_both_runs_have_it(run, tmp_path):
    group = {row["prompt_id"]: row["group"] for row in read_table(run.learnability).to_pylist()}
    cosine = {name: 0.1 if label == "unlearnable" else 0.4 for name, label in group.items()}
    table = {"prompt_id": list(cosine), "n_correct": [9] * len(cosine), "mean_cosine": list(cosine.values())}
    write_table(run.probe("initial") / "similarity.parquet", pa.table(table))
    assert cli.main(["forecast", str(run)]) == 0
    quality = read_json(run.summary)["forecast"]
    assert quality["auc"] == 1.0 and "mean_cosine" in quality["features"]
    new = make_run(tmp_path / "new", [0, 0, 2], [0] * 3)
    assert cli.main(["forecast", str(run), "--to", str(new)]) == 0
    assert "mean_cosine" not in read_json(new.summary)["forecast"]["features"]


def test_noise_is_worth_nothing():
    rng = np.random.default_rng(1)
    _, quality = cross_validated(rng.normal(size=(300, 4)), rng.random(300) < 0.5)
    assert 0.4 < quality["auc"] < 0.6
    assert quality["brier"] > quality["brier_of_the_share_alone"] - 0.01


def test_what_skipping_costs():
    risk, labels = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    half = skipping(risk, labels)[-1]
    assert (half["prompts"], half["learnable_lost"], half["share_of_learnable_lost"]) == (2, 1, 0.5)


def test_too_few_labels_are_refused(tmp_path, capsys):
    run = make_run(tmp_path / "run", [1] * 12, [0] * 6 + [30] * 6)
    assert cli.main(["forecast", str(run)]) == 1
    assert "openrlhf-unlearn classify" in capsys.readouterr().err
    assert cli.main(["classify", str(run)]) == 0
    assert cli.main(["forecast", str(run)]) == 1
    assert "needs at least 10 of each" in capsys.readouterr().err
