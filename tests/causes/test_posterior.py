"""The posterior on simulated runs of seeds that it was not fitted on: what must be found, and what must stay open."""

import numpy as np
import pytest

from openrlhf_unlearn.causes import CAUSES, UNDECIDED
from openrlhf_unlearn.causes.evidence import EVIDENCE
from openrlhf_unlearn.causes.nulls import contradicted
from openrlhf_unlearn.causes.observed import Observed
from openrlhf_unlearn.causes.posterior import fitted, posterior, with_own_shares
from openrlhf_unlearn.causes.words import decided
from tests.causes.simulator import simulate
from tests.causes.test_evidence import samples

SEEDS = range(20_000, 20_005)


def found(second: bool, **options) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(planted, decided, probability of the likeliest) over the seeds."""
    runs = [simulate(seed, second=second, **options) for seed in SEEDS]
    made = [posterior(run.observed) for run in runs]
    said = np.concatenate([decided(one.probability, contradicted(one.values)) for one in made])
    return np.concatenate([run.cause for run in runs]), said, np.concatenate([one.probability for one in made])


def test_tables_are_shares():
    by = fitted()
    assert set(by.table) == set(EVIDENCE) == set(by.exponent)
    for name, table in by.table.items():
        assert table.shape == (len(CAUSES), EVIDENCE[name].bins)
        np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-3)
    assert np.isclose(by.prior.sum(), 1, atol=1e-3) and (by.prior > 0).all()


def test_no_evidence_leaves_the_prior_and_decides_nothing():
    p = posterior(Observed(samples(n=0))).probability
    np.testing.assert_allclose(p[0], fitted().prior, atol=1e-2)
    assert decided(p).tolist() == [UNDECIDED]


def test_a_runs_own_shares_move_the_posterior_and_never_all_the_way():
    log = np.zeros((200, 2))
    log[:, 0] = 1.0
    p = with_own_shares(log, np.array([0.5, 0.5]))
    assert (p[:, 0] > np.exp(1) / (1 + np.exp(1))).all() and (p[:, 0] < 1).all()


@pytest.mark.parametrize("systematic", [False, True])
def test_wrong_labels_and_verifier_faults_are_found(systematic):
    cause, said, _ = found(True, wrong=0.1, systematic=systematic)
    wrong = said == "wrong_label"
    assert (wrong & (cause == "wrong_label")).sum() >= 0.85 * (cause == "wrong_label").sum()
    assert (wrong & (cause == "wrong_label")).sum() >= 0.85 * wrong.sum()
    assert (said == "verifier")[cause == "verifier"].mean() >= 0.9
    assert wrong[cause != "wrong_label"].mean() <= 0.05


def test_without_a_wrong_label_hardly_any_is_called_wrong():
    _, said, _ = found(True, wrong=0.0)
    assert (said == "wrong_label").mean() <= 0.03


def test_random_labels_and_a_rule_beyond_the_model_are_told_apart_by_a_second_model_alone():
    cause, one, before = found(False)
    both = np.isin(cause, ("beyond", "random_label"))
    assert np.isin(one[both], (UNDECIDED, "never_rewarded")).mean() >= 0.9
    assert not np.isin(one, ("beyond", "random_label")).any(), "their evidence is one and the same"
    cause, two, p = found(True)
    for one_of, other in (("beyond", "random_label"), ("random_label", "beyond")):
        mine = cause == one_of
        assert (two == other)[mine].mean() <= 0.05, one_of
    assert (two == "beyond")[cause == "beyond"].mean() >= 0.5


def test_what_is_stated_is_about_as_often_right():
    cause, _, p = found(True)
    right = np.array(CAUSES)[p.argmax(axis=1)] == cause
    assert abs(p.max(axis=1).mean() - right.mean()) <= 0.08, "coarse; benchmarks/diagnose.py has the bar of 0.05"
