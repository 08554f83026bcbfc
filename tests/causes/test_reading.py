"""What is read of runs whose samples were adaptive."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.causes.reading import gathered, pass_rates
from tests.report.test_rates import adaptive_evaluation
from tests.report.worlds import evaluate, prompts, start


def test_rates_are_unbiased_where_sampling_was_adaptive(tmp_path):
    """Pooled over evaluations of two runs, of the prompts to diagnose and of all."""
    made = prompts(1000, ("learnable",))
    rates = np.where(np.arange(len(made)) % 2, 0.15, 0.9)
    runs = {tag: start(tmp_path / tag, made) for tag in ("final", "repeated")}
    for tag, run in runs.items():
        adaptive_evaluation(run, made, tag, rates)  # its draws differ by the length of the tag
    paths, ids = [run.evaluation(tag) for tag, run in runs.items()], pa.array([p.id for p in made])
    known = gathered(paths, ids).samples()
    assert abs(known.rate.mean() - rates.mean()) < 0.02 < rates.mean() - known.positive.sum() / known.n.sum()
    np.testing.assert_allclose(known.rate, pass_rates(paths, ids))


def test_rates_are_positives_over_samples_where_their_number_was_fixed(tmp_path):
    made = prompts(3, ("learnable", "easy"))
    run = start(tmp_path / "run", made)
    for tag in ("initial", "final"):
        evaluate(run, made, tag)
    paths, ids = [run.evaluation(tag) for tag in ("initial", "final")], pa.array([*(p.id for p in made), "unseen"])
    known = gathered(paths, ids).samples()
    assert known.rate[:-1] == pytest.approx(known.positive[:-1] / 64) and np.isnan(known.rate[-1])
    np.testing.assert_array_equal(known.rate, pass_rates(paths, ids))
