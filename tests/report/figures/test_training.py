"""What training did."""

import numpy as np

from openrlhf_unlearn.report.figures.training import solved_state


def test_turnover_needs_a_clear_fall():
    rewards = np.array([0.3, 0.6, 0.4, 0.1, 0.4, 0.5, 0.9])
    start_ = np.array([True, False, False, False, False, False, True])
    assert solved_state(rewards, start_).tolist() == [0, 1, 1, 0, 0, 1, 1]
