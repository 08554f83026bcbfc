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


ONE_MODEL = {"beyond", "random_label"}


def test_evidence_that_is_lacking_contradicts_nothing_but_what_one_model_cannot_tell_apart():
    known = {"majority": 0.4, "peak": 0.4, "disputed": 0.1}
    assert against(**known) == ONE_MODEL
    assert against(**known, second=0.0) == {"random_label"} and against(**known, second=4.0) == {"beyond"}
    assert against(second=2.0, peak=0.4, disputed=0.1) == ONE_MODEL  # it agrees with the commonest wrong answer


def test_no_label_or_grader_is_called_wrong_where_no_answer_was_seen_and_nothing_lost_that_was_not_seen_solved():
    assert against() == ONE_MODEL | {"wrong_label", "verifier", "forgotten"}
    assert "verifier" in against(majority=0.9) and "verifier" not in against(failed=0.2)


def test_each_cause_has_evidence_that_contradicts_it():
    for evidence, cause, not_enough, enough in (
        ("trend", "rising", 1.9, 2.5),
        ("peak", "forgotten", 0.1, 0.4),
        ("guess", "guessable", 2.0, 1.0),
        ("majority", "wrong_label", 0.2, 0.4),
    ):
        assert cause in against(**{evidence: not_enough}) and cause not in against(**{evidence: enough})
    assert "verifier" in against(disputed=0.0, failed=0.0) and "verifier" not in against(disputed=0.0, failed=0.2)
    assert "wrong_label" not in against(majority=0.2, second=2.0)


def test_a_contradicted_cause_is_not_said_however_probable():
    sure = np.array([[cause == "rising" for cause in CAUSES]], dtype=float)
    assert decided(sure).tolist() == ["rising"]
    assert decided(sure, sure > 0).tolist() == [UNDECIDED]
