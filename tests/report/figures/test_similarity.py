"""Similarity of gradients: the numbers are the probe's own."""

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.base import records
from openrlhf_unlearn.report.figures.similarity import (
    SIMILARITY,
    SIMILARITY_GROUPS,
    SIMILARITY_OVER_MODELS,
    SIMILARITY_OVER_TRAINING,
    SIMILARITY_PROMPTS,
)
from openrlhf_unlearn.store.run_dir import read_json


def test_similarity_counts_every_probed_prompt_once(material):
    rows = records(SIMILARITY.data(material))
    for kind in ("plain", "corrected"):
        for group in ("easy", "learnable", "unlearnable"):
            mine = [row for row in rows if (row["cosine"], row["group"]) == (kind, group)]
            values = getattr(material.probe, kind)[material.groups == group]
            assert sum(row["here"] for row in mine) == 12
            assert mine[0]["mean"] == pytest.approx(np.nanmean(values))


def test_groups_against_groups_are_the_probes_own_numbers(run, material):
    data = SIMILARITY_GROUPS.data(material)
    assert data["corrected"] == [row["corrected"] for row in read_json(run.probe_json("initial"))["group_matrix"]]


def test_prompts_against_prompts_are_cosines_in_blocks(material):
    data = SIMILARITY_PROMPTS.data(material)
    names = data["prompt_id"]
    grid = np.array([data[name] for name in names])
    assert data["group"] == sorted(data["group"], key=["easy", "learnable", "unlearnable"].index) and len(names) == 36
    np.testing.assert_allclose(grid, grid.T)
    np.testing.assert_allclose(np.diag(grid), 1, atol=1e-3)
    assert grid[:24, :24].mean() > 0.5 > abs(grid[24:, :24].mean())


def test_checkpoints_and_models_are_told_apart(material):
    training = SIMILARITY_OVER_TRAINING.data(material)
    assert list(dict.fromkeys(training["probe"])) == ["initial", "final"]
    models = SIMILARITY_OVER_MODELS.data(material)
    assert list(dict.fromkeys(zip(models["probe"], models["model"], strict=True))) == [
        ("initial", "m"), ("midtrained", "other")
    ]  # fmt: skip
