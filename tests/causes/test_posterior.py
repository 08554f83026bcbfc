"""The posterior on simulated runs of seeds that it was not fitted on: what must be found, and what must stay open."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fit_causes import fit
from benchmarks.planted import Planted
from openrlhf_unlearn.causes import CAUSES, UNDECIDED
from openrlhf_unlearn.causes.evidence import EVIDENCE, values
from openrlhf_unlearn.causes.nulls import contradicted
from openrlhf_unlearn.causes.observed import Observed, Samples
from openrlhf_unlearn.causes.posterior import Likelihoods, fitted, posterior, with_own_shares
from openrlhf_unlearn.causes.words import NAMES, decided
from tests.causes.simulator import simulate
from tests.causes.test_evidence import samples

SEEDS = range(20_000, 20_005)
BEYOND, RANDOM = CAUSES.index("beyond"), CAUSES.index("random_label")


def found(second: bool, **options) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(planted, decided, probability of the likeliest) over the seeds."""
    runs = [simulate(seed, second=second, **options) for seed in SEEDS]
    made = [posterior(run.observed) for run in runs]
    said = np.concatenate([decided(one.probability, contradicted(one.values)) for one in made])
    return np.concatenate([run.cause for run in runs]), said, np.concatenate([one.probability for one in made])


def test_each_bin_has_a_factor_and_one_model_tells_nothing_of_beyond_and_random():
    by = fitted()
    assert set(by.factor) == set(EVIDENCE)
    for name, factor in by.factor.items():
        assert factor.shape == (len(CAUSES), EVIDENCE[name].bins + 1) and np.isfinite(factor).all()
        assert name == "second" or (factor[BEYOND] == factor[RANDOM]).all()
    assert np.isclose(by.prior.sum(), 1, atol=1e-3) and (by.prior > 0).all() and by.prior[BEYOND] == by.prior[RANDOM]


@given(st.integers(30_000, 31_000), st.floats(0, 2), st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_whatever_the_mess_it_is_a_probability_that_the_order_of_prompts_does_not_move(seed, mess, mixed):
    observed = simulate(seed, prompts=300, second=False, mess=mess).observed
    made = posterior(observed)
    p = made.probability
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p[:, BEYOND], p[:, RANDOM])
    order = np.random.default_rng(mixed).permutation(len(p))
    log, prior = sum(made.factors.values()), fitted().prior
    np.testing.assert_allclose(with_own_shares(log[order], prior), with_own_shares(log, prior)[order], atol=1e-6)


def test_a_second_model_that_is_not_known_to_be_able_says_nothing_by_failing():
    """Where one prompt alone has what it says, the others read as without it."""
    factor = fitted().log_factors({"second": np.array([np.nan, 1.0])})["second"]
    assert not factor[0].any() and factor[1].any()


def test_evidence_that_no_prompt_has_is_no_factor_and_that_some_have_is():
    values = {name: np.array([np.nan, np.nan]) for name in EVIDENCE}
    assert fitted().log_factors(values) == {}
    found = fitted().log_factors(values | {"second": np.array([np.nan, 0.0])})
    assert set(found) == {"second"}
    np.testing.assert_array_equal(found["second"][0], fitted().factor["second"][:, EVIDENCE["second"].bins])


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


def test_what_is_beyond_both_models_too_is_never_said_to_be_what_the_other_one_does():
    """Two models tell it from a label of no rule as little as one does; the cause's name claims no more."""
    runs = [simulate(seed, mess=1.0) for seed in SEEDS]
    said = [decided((made := posterior(run.observed)).probability, contradicted(made.values)) for run in runs]
    both = [(run.planted == "beyond") & (run.cause == "random_label") for run in runs]
    found = np.concatenate([cause[mine] for cause, mine in zip(said, both, strict=True)])
    assert len(found) > 50 and (found == "random_label").mean() > 0.5 and (found == "beyond").mean() < 0.05
    assert NAMES["random_label"] == "no model asked reproduces the label"


@pytest.mark.parametrize("mess", [0.0, 1.0])
def test_what_is_stated_is_about_as_often_right(mess):
    cause, _, p = found(True, mess=mess)
    right = np.array(CAUSES)[p.argmax(axis=1)] == cause
    assert abs(p.max(axis=1).mean() - right.mean()) <= 0.08, "coarse; benchmarks/diagnose.py has the bar of 0.05"


def test_what_two_kinds_of_evidence_say_together_is_not_counted_twice():
    """Of prompts with a large majority 7 in 10 have a wrong label, and `growth` says the same again, always."""
    rng, runs = np.random.default_rng(0), []
    for _ in range(20):
        large, n = rng.random(100) < 0.5, np.full(100, 32)
        wrong = rng.random(100) < np.where(large, 0.7, 0.2)
        answers = [Counter({"a": 30 if mine else 6}) for mine in large]
        final, early = (Samples(n, n * 0, n * 0, given) for given in (answers, [Counter()] * 100))
        cause = np.where(wrong, "wrong_label", "never_rewarded")
        runs.append(Planted(Observed(final, early), cause, ""))
    prior, factor, _ = fit(runs)
    p = posterior(runs[0].observed, Likelihoods(prior, factor)).probability[:, CAUSES.index("wrong_label")]
    large = values(runs[0].observed)["majority"] > 0.5
    assert abs(p[large].mean() - 0.7) < 0.07 and abs(p[~large].mean() - 0.2) < 0.07
