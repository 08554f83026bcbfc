"""The gradients that the report's tests simulate without torch are what the probe keeps of such tensors."""

import numpy as np
import torch

from openrlhf_unlearn.probe.gradient_summary import Sketch, summarise
from tests.report.worlds import _gradients


def test_simulated_gradients_are_those_that_the_probe_would_keep():
    sums = np.random.default_rng(0).normal(size=(6, 48)).astype(np.float32)
    kept = summarise(torch.tensor(sums), [1] * 6, 6, Sketch(48, 0), distinct=6)
    simulated = _gradients(sums)
    assert set(kept) == set(simulated)
    for name, values in kept.items():
        assert simulated[name].dtype == values.dtype
        np.testing.assert_allclose(simulated[name], values, rtol=1e-5)
