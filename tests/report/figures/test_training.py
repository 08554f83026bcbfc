"""What training did."""

from types import SimpleNamespace

import numpy as np

from openrlhf_unlearn.report.figures.training import acceptance_data, solved_state


def test_acceptance_is_of_runs_with_a_filter():
    visits = SimpleNamespace(step=np.ones(2), accepted=np.zeros(2, bool), reason=np.array([None, None], dtype=object))
    assert acceptance_data(SimpleNamespace(visits=visits)) is None
    visits.reason[:] = "constant_reward"
    assert acceptance_data(SimpleNamespace(visits=visits)) is not None


def test_turnover_needs_a_clear_fall():
    rewards = np.array([0.3, 0.6, 0.4, 0.1, 0.4, 0.5, 0.9])
    start_ = np.array([True, False, False, False, False, False, True])
    assert solved_state(rewards, start_).tolist() == [0, 1, 1, 0, 0, 1, 1]
