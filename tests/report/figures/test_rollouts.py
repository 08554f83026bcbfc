"""What is said of single rollouts."""

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.base import records
from openrlhf_unlearn.report.figures.rollouts import LIKELIHOOD, REASONING
from openrlhf_unlearn.store.run_dir import read_table


def test_likelihood_is_the_mean_of_a_step(run, material):
    groups = dict(zip(material.ids.to_pylist(), material.groups, strict=True))
    table = read_table(run.step_file("likelihood", 2)).to_pylist()
    mine = [row["reference_log_likelihood"] for row in table if groups[row["prompt_id"]] == "learnable"]
    found = next(
        row for row in records(LIKELIHOOD.data(material))
        if (row["model"], row["group"], row["step"]) == ("reference", "learnable", 2)
    )  # fmt: skip
    assert found["mean"] == pytest.approx(np.mean(mine)) and found["prompts"] == len(mine)


def test_reasoning_counts_a_rollout_once(material):
    rows = {(row["evaluation"], row["group"]): row for row in records(REASONING.data(material))}
    poor = rows["initial", "unlearnable"]
    assert poor["mean"] == pytest.approx(4 / 3) and poor["rollouts"] == 12 and poor["share_1"] == 1
    assert rows["final", "easy"]["mean"] == pytest.approx(13 / 3) and ("initial", "no_reward") not in rows
