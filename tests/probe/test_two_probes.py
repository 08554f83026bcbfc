"""What a correlation of two probes says where the groups do all the work."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn.probe.two_probes import correlation
from openrlhf_unlearn.probe.words import against
from openrlhf_unlearn.store.run_dir import RunDir, write_table


def probes(tmp_path, x: np.ndarray, y: np.ndarray, groups: list[str]) -> RunDir:
    run = RunDir(tmp_path)
    for name, values in (("lora", x), ("full", y)):
        columns = {"prompt_id": [str(i) for i in range(len(x))], "group": groups, "mean_cosine": values}
        write_table(run.probe_table("similarity", name), pa.table(columns))
    return run


def test_groups_apart_correlate_with_nothing_inside_them(tmp_path):
    rng, groups = np.random.default_rng(0), ["easy"] * 60 + ["unlearnable"] * 60
    centre = np.repeat([0.5, 0.0], 60)
    run = probes(tmp_path, centre + rng.normal(0, 0.05, 120), centre + rng.normal(0, 0.05, 120), groups)
    found = correlation(run, "lora", "full")
    assert found["correlation"] > 0.95
    assert abs(found["within"]["all"]["correlation"]) < 0.2
    assert set(found["within"]) == {"all", "easy", "unlearnable"}
    assert "within the group easy: correlation" not in against(found) and "  within groups: " in against(found)


def test_one_group_has_no_within(tmp_path):
    values = np.arange(20.0)
    found = correlation(probes(tmp_path, values, values, [""] * 20), "lora", "full")
    assert found["correlation"] == pytest.approx(1) and "within" not in found
    assert "within" not in against(found)
