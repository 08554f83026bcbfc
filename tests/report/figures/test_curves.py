"""Curves of training rewards."""

import pyarrow as pa
import pytest

from openrlhf_unlearn.report.figures.curves import reward_curves
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
