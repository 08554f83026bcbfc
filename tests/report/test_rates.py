"""Rates that the report shows where sampling was adaptive."""

import numpy as np

from openrlhf_unlearn.evaluation.adaptive import Plan
from openrlhf_unlearn.report.figures.groups import PASS_RATES
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
