"""The gradients that tests simulate without torch are what the probe keeps of such tensors."""

import numpy as np
import torch

from openrlhf_unlearn.probe.engine.packing import deal
from openrlhf_unlearn.probe.gradient_summary import ARRAYS, Sketch, stack, summarise
from tests.probe.measures.simulation import gathered, summed
from tests.report.worlds import _gradients


def test_simulated_gradients_are_those_that_the_probe_would_keep():
    sums = np.random.default_rng(0).normal(size=(6, 48)).astype(np.float32)
    kept = summarise(torch.tensor(sums), [1] * 6, 6, Sketch(48, 0), distinct=6)
    simulated = _gradients(sums)
    assert set(kept) == set(simulated)
    for name, values in kept.items():
        assert simulated[name].dtype == values.dtype
        np.testing.assert_allclose(simulated[name], values, rtol=1e-5)


def test_rollouts_of_all_prompts_at_once_are_kept_like_those_of_each():
    n, units = [1, 3, 4, 5, 13], 4
    rollouts = np.random.default_rng(1).normal(size=(5, 13, 48)).astype(np.float32)
    for sketch in (0, 10):
        each = [
            summed(mine[:m], deal(m, units), units, Sketch(48, sketch)) for mine, m in zip(rollouts, n, strict=True)
        ]
        kept, at_once = stack([f"p{i}" for i in range(5)], each), gathered(rollouts, n, units, sketch)
        assert kept.ids == at_once.ids
        for name in ARRAYS:
            assert getattr(kept, name).dtype == getattr(at_once, name).dtype
            np.testing.assert_allclose(getattr(kept, name), getattr(at_once, name), rtol=1e-4, atol=1e-5)
