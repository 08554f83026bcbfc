"""Curves of training rewards."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.report.figures.curves import curve, reward_curves
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.store.run_dir import read_table, write_table
from tests.report.worlds import evaluate, prompts, start, train


def test_curves_of_shaped_rewards_are_shares_of_correct_rollouts(tmp_path):
    """Rewards of -1 and 1, and scores: what is drawn is between 0 and 1, whatever trained."""
    made = prompts(40, ("learnable",))
    run = start(tmp_path / "run", made)
    train(run, made, 3)
    before = reward_curves(Material([run]).visits, Material([run]).curve_groups)
    for step in run.steps():
        table = read_table(run.step_file("rewards", step))
        shaped = pa.array(2 * table["mean_reward"].to_numpy() - 1)
        at = table.column_names.index("mean_reward")
        write_table(run.step_file("rewards", step), table.set_column(at, "mean_reward", shaped))
    after = reward_curves(Material([run]).visits, Material([run]).curve_groups)
    assert [row["pass_rate"] for row in after] == pytest.approx([row["pass_rate"] for row in before])
    assert [row["mean_reward"] for row in after] == pytest.approx([2 * row["mean_reward"] - 1 for row in before])


@pytest.mark.parametrize("evaluated", [False, True])
def test_live_curves_do_not_choose_prompts_by_what_they_plot(tmp_path, evaluated):
    """Prompts of a constant pass rate, half of them 0.03: no curve falls or rises while training runs."""
    made = prompts(200, ("unlearnable",))
    run = start(tmp_path / "run", made)
    train(run, made, 8)
    if evaluated:
        evaluate(run, made, "initial")
    rows = reward_curves(Material([run]).visits, Material([run]).curve_groups)
    assert {row["group"] for row in rows} == ({"hard"} if evaluated else {"all"})
    assert all(row["low"] - 0.01 <= 0.03 <= row["high"] + 0.01 for row in rows[1:])  # `train` rewards each at step 1


@pytest.mark.parametrize("rates", [False, True])
@pytest.mark.parametrize("visits", [1, 2, 6])
def test_an_interval_over_prompts_holds_their_mean_however_often_each_is_visited(rates, visits):
    rng, held = np.random.default_rng(0), 0
    row, step = np.repeat(np.arange(20), visits), np.tile(np.arange(visits), 20)
    for _ in range(300):
        values = (rng.beta(1, 3, 20) if rates else rng.normal(0.25, 1, 20))[row]
        values = rng.binomial(8, values) / 8 if rates else values + rng.normal(0, 0.5, len(row))
        (point,) = curve(row >= 0, step, step * 0, row, values, rates)
        assert point["prompts"] == 20
        held += point["low"] <= 0.25 <= point["high"]
    assert held / 300 >= 0.92


def test_a_prompt_counts_once_and_a_visit_without_a_value_not_at_all():
    row, step = np.array([0, 0, 0, 1, 2]), np.array([1, 1, 2, 1, 1])
    values = np.array([0.0, 1.0, 0.2, 0.1, np.nan])
    found = curve(np.ones(5, bool), step, step, row, values)
    assert [(point["step"], point["prompts"], point["mean"]) for point in found] == [(1, 2, 0.3), (2, 1, 0.2)]
    assert curve(np.zeros(5, bool), step, step, row, values) == []
