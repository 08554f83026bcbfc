import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.causes import CAUSES, UNDECIDED
from openrlhf_unlearn.causes.evidence import EVIDENCE
from openrlhf_unlearn.causes.nulls import contradicted, impossible
from openrlhf_unlearn.causes.words import decided

NOTHING = {name: np.array([np.nan]) for name in EVIDENCE}


def names(rows: np.ndarray) -> set[str]:
    return {cause for cause, mine in zip(CAUSES, rows[0], strict=True) if mine}


def against(**values: float) -> set[str]:
    return names(contradicted({**NOTHING, **{name: np.array([value]) for name, value in values.items()}}))


@given(st.integers(0, 50), st.integers(0, 50))
def test_what_was_never_right_neither_rose_nor_was_lost_nor_is_guessed(positive, others):
    found = names(impossible(np.array([positive]), np.array([positive + others])))
    if positive:
        assert found == {"never_rewarded"}
    else:
        assert found == ({"rising", "forgotten", "guessable"} if others else set())


def test_evidence_that_is_lacking_contradicts_nothing():
    assert against() == set()


def test_each_cause_has_evidence_that_contradicts_it():
    assert against(trend=1.9) == {"rising"} and not against(trend=2.5)
    assert against(peak=0.1) == {"forgotten"} and not against(peak=0.4)
    assert against(guess=2.0) == {"guessable"} and not against(guess=1.0)
    assert against(disputed=0.0, failed=0.0) == {"verifier"} and not against(disputed=0.0, failed=0.2)
    assert against(majority=0.2) == {"wrong_label"} and not against(majority=0.2, second=2.0)


def test_a_contradicted_cause_is_not_said_however_probable():
    sure = np.array([[cause == "rising" for cause in CAUSES]], dtype=float)
    assert decided(sure).tolist() == ["rising"]
    assert decided(sure, sure > 0).tolist() == [UNDECIDED]
