"""Each kind of evidence on data that has it, and its null: data in which it must be nothing or in the middle bin."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.causes.evidence import EVIDENCE, TELLING, values
from openrlhf_unlearn.causes.observed import Observed, Samples, Visits


def samples(n=32, positive=0, answers=None, disputed=None, failed=0) -> Samples:
    one = lambda value: np.array([value])  # noqa: E731
    given = None if answers is None else [Counter(answers)]
    return Samples(one(n), one(positive), one(failed), given, None if disputed is None else one(disputed))


def visits(*positives: int, k: int = 8) -> Visits:
    size = len(positives)
    return Visits(np.zeros(size, int), np.arange(1, size + 1), np.full(size, k), np.array(positives))


def value(kind: str, **known) -> float:
    return float(values(Observed(**{"final": samples(), **known}))[kind][0])


def test_without_texts_or_training_there_is_no_evidence_but_of_counts():
    found = values(Observed(samples()))
    assert {kind for kind, one in found.items() if np.isfinite(one).any()} == {"failed", "hits"}
    assert all(kind.bin(np.array([np.nan]))[0] == -1 for kind in EVIDENCE.values())


def test_majority_and_its_growth():
    late, early = samples(answers={"a": 28, "b": 4}), samples(answers={"b": 20, "a": 4})
    assert value("majority", final=late, early=early) == 28 / 32
    assert value("growth", final=late, early=early) == (28 - 4) / 32
    assert np.isnan(value("growth", final=late))


@pytest.mark.parametrize(("positive", "expected", "code"), [(8, 0.06, 1), (60, 0.06, 2), (0, 0.2, 3)])
def test_hits_are_held_against_what_a_guess_would_earn(positive, expected, code):
    late = samples(128, positive)
    assert value("guess", final=late, guess=np.array([expected])) == code


def test_a_rare_label_is_no_guess():
    assert value("guess", final=samples(64, 4), guess=np.array([0.001])) == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.3))
def test_a_constant_rate_has_no_trend_and_no_peak(seed, rate):
    """By chance |z| reaches 4 in one of 16,000; the peak's last bin asks for a stretch that chance does not give."""
    course = np.random.default_rng(seed).binomial(8, rate, 20)
    found = Observed(samples(64, round(64 * rate)), visits=visits(*course.tolist()))
    trend = values(found)["trend"][0]
    assert np.isnan(trend) or abs(trend) < 4.5
    assert values(found)["peak"][0] < EVIDENCE["peak"].edges[-1]


def test_a_rise_and_a_loss_are_seen():
    assert value("trend", visits=visits(0, 0, 0, 1, 0, 1, 2, 2, 3, 3)) > 2
    assert value("peak", visits=visits(0, 1, 6, 7, 8, 7, 2, 0, 0, 0)) > 0.5


def test_a_second_model_solves_agrees_or_fails():
    late = samples(answers={"x": 30})
    assert value("second", final=late, seconds=[samples(positive=30)]) == TELLING["solves"]
    assert value("second", final=late, seconds=[samples(answers={"x": 20})]) == TELLING["agrees"]
    assert value("second", final=late, seconds=[samples(positive=6, answers={"y": 20})]) == TELLING["sometimes"]
    fails = [samples(answers={"y": 20})]
    assert value("second", final=late, seconds=fails, kin_second=np.array([[0.9]])) == TELLING["fails, not its kin"]


def test_the_failure_of_a_model_that_is_not_known_to_be_able_says_nothing():
    assert np.isnan(value("second", seconds=[samples(answers={"y": 20})], kin_second=np.array([[0.0]])))


def test_the_failure_of_an_able_one_says_something():
    """It solves the second of two prompts that the first model fails on."""
    both = lambda *positive: Samples(np.full(2, 32), np.array(positive), np.zeros(2, int), [Counter(), Counter()])  # noqa: E731
    found = values(Observed(both(0, 0), seconds=[both(0, 30)], kin_second=np.array([[0.0, 0.0]])))["second"]
    assert found.tolist() == [TELLING["fails, and its kin"], TELLING["solves"]]
