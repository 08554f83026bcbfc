import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.causes.evidence import EVIDENCE
from openrlhf_unlearn.causes.nulls import possible

NOTHING = {name: np.array([np.nan]) for name in EVIDENCE}


def said(hit: bool, **values: float) -> set[str]:
    found = possible({**NOTHING, **{name: np.array([value]) for name, value in values.items()}}, np.array([hit]))
    return {cause for cause, may in zip(CAUSES, found[0], strict=True) if may}


def test_without_evidence_only_what_is_left_may_be_said():
    assert said(False) == {"never_rewarded", "beyond", "random_label"}
    assert said(True) == {"beyond", "random_label"}


@given(st.dictionaries(st.sampled_from(sorted(EVIDENCE)), st.floats(-5, 5), max_size=10))
def test_what_was_never_right_neither_rises_nor_was_forgotten_nor_is_guessed(values):
    assert not said(False, **values) & {"rising", "forgotten", "guessable"}
    assert "never_rewarded" not in said(True, **values)


def test_a_fact_for_each_cause():
    assert "rising" in said(True, trend=2.5) and "rising" not in said(True, trend=1.9)
    assert "forgotten" in said(True, peak=0.4) and "forgotten" not in said(True, peak=0.1)
    assert "guessable" in said(True, guess=1.0) and "guessable" not in said(True, guess=2.0)
    assert "verifier" in said(False, disputed=0.1) and "verifier" not in said(False, disputed=0.0, failed=0.0)
    assert "wrong_label" in said(False, majority=0.5) and "wrong_label" not in said(False, majority=0.2)
    assert "wrong_label" in said(False, second=2.0)
