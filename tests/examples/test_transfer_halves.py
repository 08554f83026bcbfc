"""examples/transfer_halves.py: what trains and what is measured are apart, and names are files."""

import json

import pytest

from examples.transfer_halves import halves
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.run_dir import RunDir


def test_half_of_each_cluster_trains_and_small_clusters_are_left_out(tmp_path):
    clusters = {f"p{i}": "a b" if i < 9 else "few" for i in range(14)}
    assert halves(RunDir(tmp_path), clusters, tmp_path / "h") == ["a b"]
    trains = json.loads((tmp_path / "h" / "a_b.json").read_text())
    assert len(trains) == len(set(trains)) == 4 and set(trains) < {f"p{i}" for i in range(9)}
    assert set(json.loads((tmp_path / "h" / "clusters.json").read_text()).values()) == {"a b"}
    assert (tmp_path / "h" / "names.txt").read_text() == "a_b\n"


def test_names_that_are_one_as_files_and_no_cluster_are_told(tmp_path):
    with pytest.raises(UserError, match="names that are one"):
        halves(RunDir(tmp_path), {f"p{i}": "a b" if i % 2 else "a/b" for i in range(20)}, tmp_path / "h")
    with pytest.raises(UserError, match="no cluster has 8 prompts"):
        halves(RunDir(tmp_path), {"p": "a"}, tmp_path / "h")
