"""Which prompts of a group the cosines of all pairs are drawn of, where there are more than it has room for."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.report.figures.similarity import EACH_GROUP, _chosen


@pytest.mark.parametrize("order", [1, -1])
def test_prompts_are_drawn_whatever_their_rollouts(order):
    n = np.tile(np.arange(1, 41), 2)[::order]
    ids, groups = [f"p{i}" for i in range(80)], ["learnable"] * 40 + ["unlearnable"] * 40
    found = _chosen(SimpleNamespace(ids=pa.array(ids), groups=groups), SimpleNamespace(ids=ids, n=n, counts=n[:, None]))
    assert [group for *_, group in found] == ["learnable"] * EACH_GROUP + ["unlearnable"] * EACH_GROUP
    error = np.sqrt(n[:40].var() / EACH_GROUP * (1 - EACH_GROUP / 40))
    for group in (found[:EACH_GROUP], found[EACH_GROUP:]):
        assert abs(n[[at for at, *_ in group]].mean() - n.mean()) < 2 * error
