"""Rates that the report shows where sampling was adaptive."""

import numpy as np

from openrlhf_unlearn.evaluation.adaptive import Plan
from openrlhf_unlearn.report.figures.groups import PASS_RATES
from openrlhf_unlearn.report.figures.rollouts import VERDICTS_BY_GROUP
from openrlhf_unlearn.report.groups import group_table
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import write_json
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


def test_verdicts_are_of_samples_whose_number_no_outcome_decided(tmp_path):
    """Prompts of low rates are sampled oftener, so that shares of adaptive samples are not shares of a group."""
    made = prompts(20, ("learnable",))
    run = start(tmp_path / "run", made)
    train(run, made, 1)
    evaluate(run, made, "initial")
    adaptive_evaluation(run, made, "final", np.where(np.arange(len(made)) % 2, 0.15, 0.9))
    data = VERDICTS_BY_GROUP.data(Material([run]))
    assert set(data["evaluation"]) == {"initial"} and sum(data["samples"]) == 32 * len(made)
    run.evaluation("initial").unlink()
    assert VERDICTS_BY_GROUP.data(Material([run])) is None
