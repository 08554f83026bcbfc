"""What is said of single rollouts."""

from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.base import records
from openrlhf_unlearn.report.figures.rollouts import LIKELIHOOD, REASONING
from openrlhf_unlearn.report.numbers import Say
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


def test_a_prompt_that_several_runs_rewarded_counts_once():
    row = np.tile(np.arange(2), 3)
    table = SimpleNamespace(
        step=row * 0 + 1,
        reference_log_likelihood=np.array([-1.0, -2.0, -3.0, -2.0, -2.0, -2.0]),
        policy_log_likelihood=np.array([-1.0, np.nan, -3.0, np.nan, np.nan, np.nan]),
    )
    groups = np.array(["easy", "easy"], dtype=object)
    rows = records(LIKELIHOOD.data(SimpleNamespace(steps_of=lambda kind: (table, row), groups=groups)))
    assert [(row["model"], row["prompts"], row["mean"]) for row in rows] == [("reference", 2, -2), ("policy", 1, -2)]


@pytest.mark.parametrize("figure", [LIKELIHOOD, REASONING])
def test_captions_describe_rollouts_and_name_no_cause(figure, material):
    said = Say(*figure.caption(material, figure.data(material)), "").text
    assert not any(word in said for word in ("luck", "teaches", "carries over", "cause"))
