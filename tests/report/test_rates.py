"""Rates that the report shows where sampling was adaptive, and what it calls a change."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.evaluation.adaptive import Plan
from openrlhf_unlearn.report.figures.change import verdicts
from openrlhf_unlearn.report.figures.curves import reward_curves
from openrlhf_unlearn.report.figures.pass_rates import FIGURE as PASS_RATES
from openrlhf_unlearn.report.groups import group_table
from openrlhf_unlearn.report.material import Material, Tally
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import read_table, write_json, write_table
from tests.evaluation.test_adaptive import stopped
from tests.report.worlds import classify, evaluate, prompts, start, train
from tests.tables import of_dicts


def adaptive_evaluation(run, made, tag: str, rates: np.ndarray) -> None:
    n, positive = stopped(Plan(32, 0.04), rates, seed=len(tag))
    rows = [
        {"prompt_id": p.id, "sample": i, "reward": float(i < c), "verdict": "correct" if i < c else "wrong"}
        for p, k, c in zip(made, n, positive, strict=True)
        for i in range(k)
    ]
    of_dicts(Evaluations, rows).write(run, tag)
    write_json(run.evaluation_json(tag), {"n": 32, "adaptive": 0.04, "settings": {"settle": 0.1}})


def test_means_of_groups_are_unbiased_and_said_to_be(tmp_path):
    made = prompts(1500, ("learnable",))
    run = start(tmp_path / "run", made)
    train(run, made[:2], 1)
    rates = np.where(np.arange(len(made)) % 2, 0.15, 0.9)  # after training
    evaluate(run, made, "initial")
    adaptive_evaluation(run, made, "final", rates)
    classify(run)
    material = Material([run])
    shown = material.tally("final")
    assert abs(shown.rate.mean() - rates.mean()) < 0.02 < rates.mean() - shown.positive.sum() / shown.n.sum()
    table = group_table(material)
    mean = sum(row["final_pass_rate"] * row["prompts"] for row in table.values()) / len(made)
    assert abs(mean - rates.mean()) < 0.02
    assert "unbiased" in PASS_RATES.caption(material, PASS_RATES.data(material))[0]


def test_nothing_is_said_of_adaptive_sampling_where_there_was_none(tmp_path):
    made = prompts(3)
    run = start(tmp_path / "run", made)
    evaluate(run, made, "initial")
    material = Material([run])
    assert "daptive" not in PASS_RATES.caption(material, PASS_RATES.data(material))[0]


def tally(n: int, positive: np.ndarray) -> Tally:
    return Tally(np.full(len(positive), n), positive, {}, positive / n, False)


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("sizes", [(8, 8), (32, 32), (32, 96)])
def test_at_most_one_in_twenty_unchanged_prompts_shows_a_change(rate, sizes):
    rng = np.random.default_rng(0)
    found = verdicts(*(tally(n, rng.binomial(n, rate, 20_000)) for n in sizes))
    assert (found != 0).mean() <= 0.05
    better = verdicts(tally(32, np.array([1])), tally(32, np.array([30])))
    assert better.tolist() == [1.0]


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
