"""What is read of runs whose samples were adaptive."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.causes.evidence import counted, values
from openrlhf_unlearn.causes.reading import gathered, pass_rates, read_cases, read_hinted, same_number
from openrlhf_unlearn.grading.formats import FORMATS
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.training import Rewards
from tests.causes.planted import STEPS, K, N, write_run
from tests.report.test_rates import adaptive_evaluation
from tests.report.worlds import evaluate, prompts, start, train


@pytest.mark.parametrize(
    ("answer", "label", "same"),
    [
        ("222221", "222222", False),  # of whole numbers each digit counts
        ("-1", "1", False),
        ("2.0", "2", True),
        ("3.1416", "3.14159", True),
        ("3.15", "3.14159", False),
        ("10000.5", "10000", True),
        ("a", "1", None),
    ],
)
def test_a_plain_number_is_the_label_as_lenient_has_it(answer, label, same):
    assert same_number(answer, label) is same
    if same is not None:
        decided = FORMATS["lenient"]().decide(answer, label)
        assert (decided is not None) == same


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


def test_rollouts_with_a_hint_are_counted_as_sampled_and_none_are_none(tmp_path):
    made = prompts(2, ("unlearnable",))
    run, mine = start(tmp_path / "run", made), pa.array([p.id for p in made])
    train(run, made, steps=2)
    assert read_hinted([run], mine) is None
    table = Rewards.read_step(run, 2)
    more = {"n_hinted": np.where(table.processed, 9, 8), "n_hinted_positive": np.where(table.processed, 9, 1)}
    table.replacing(**more).write(run, 2)
    assert read_hinted([run], mine).tolist() == [[8, 8], [1, 1]]


def test_answers_counted_in_training_stand_in_for_an_evaluations_and_its_counts_stay(tmp_path):
    """Hashed answers have no writing: whether a lenient grader takes them is unknown, not never."""
    run = write_run(tmp_path / "run", text=False, counted=True)
    ids = [row["prompt_id"] for row in Prompts.read(run).arrow.to_pylist()]
    seen = read_cases([run], dict.fromkeys(ids, "unlearnable")).observed
    assert set(counted(seen)[1]) == {N + N + STEPS * K}, "each sample once"
    assert set(seen.final.n) == {N} and set(seen.final.read) == {STEPS // 3 * K} == set(seen.early.read)
    np.testing.assert_array_equal(seen.final.rate, pass_rates([run.evaluation("final")], pa.array(ids)))
    assert seen.final.disputed is None and np.isnan(values(seen)["disputed"]).all()
    top = [max(given.values(), default=0) for given in seen.final.answers]
    np.testing.assert_allclose(values(seen)["majority"], np.array(top) / (STEPS // 3 * K))
    run.evaluation("initial").unlink()
    seen = read_cases([run], dict.fromkeys(ids, "unlearnable")).observed
    assert set(counted(seen)[1]) == {N + STEPS * K} and seen.early.answers is not None
