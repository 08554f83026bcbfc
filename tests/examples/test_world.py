"""The scripts of examples/ on the built-in world, from prompts to report, as short as they get: minutes each.

The default suite runs one of them (tests/integration/test_training.py) and checks the launches of all.
"""

import os
from pathlib import Path

import pytest

from openrlhf_unlearn.store.run_dir import RunDir, read_json, read_table
from openrlhf_unlearn.store.training import Rewards
from tests.integration.stack import example

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "OPENRLHF_UNLEARN_ALL_EXAMPLES" not in os.environ, reason="set OPENRLHF_UNLEARN_ALL_EXAMPLES=1; half an hour"
    ),
]


def short(script: str, world: Path, *words, **environment) -> str:
    return example(script, *words, WORLD=str(world), EPISODES="1", SAMPLES="4", **environment)


def check_report(folder: Path) -> None:
    assert read_json(folder / "run" / "summary.json")["classify"]["prompts"] == 320
    assert (folder / "run" / "report" / "report.html").exists()


@pytest.fixture(scope="module")
def hypotheses(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hypotheses")
    return folder, short("hypotheses", world, "world", folder)


def test_baseline_and_the_three_interventions_end_in_one_table(hypotheses):
    folder, text = hypotheses
    table = text[text.index("The comparison") :]
    for name in ("baseline", "oversample_replay", "clip_higher", "no_kl"):
        check_report(folder / name)
        assert name in table


def test_the_unlearnable_alone(hypotheses, world, tmp_path):
    baseline = hypotheses[0] / "baseline"
    short("unlearnable_only_k64", world, "world", tmp_path, BASELINE=str(baseline))
    table = read_table(baseline / "run" / "learnability.parquet").to_pylist()
    trained = set(Rewards.read(RunDir(tmp_path / "run")).arrow["prompt_id"].to_pylist())
    assert trained == {row["prompt_id"] for row in table if row["group"] == "unlearnable"}


def test_review(world, tmp_path):
    short("review", world, "world", tmp_path)
    check_report(tmp_path)


def test_quickstart(world, tmp_path):
    text = short("quickstart", world, tmp_path)
    check_report(tmp_path)
    assert "unlearnable: precision" in text
