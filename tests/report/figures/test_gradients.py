"""What else the gradients say."""

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.base import records
from openrlhf_unlearn.report.figures.gradients import INTERFERENCE
from openrlhf_unlearn.store.run_dir import read_table


def test_interference_is_the_mean_over_prompts(run, material):
    rows = {(row["measure"], row["group"]): row for row in records(INTERFERENCE.data(material))}
    table = read_table(run.probe_table("interference", "initial")).to_pylist()
    groups = dict(zip(material.ids.to_pylist(), material.groups, strict=True))
    mine = [row["correct_batch"] for row in table if groups[row["prompt_id"]] == "easy"]
    assert rows["correct_batch", "easy"]["mean"] == pytest.approx(np.mean(mine)) and len(mine) == 12
