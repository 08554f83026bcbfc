"""Similarity of gradients: the numbers are the probe's own."""

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.base import columns, records
from openrlhf_unlearn.report.figures.marks import group_mean
from openrlhf_unlearn.report.figures.similarity import (
    SIMILARITY,
    SIMILARITY_GROUPS,
    SIMILARITY_OVER_MODELS,
    SIMILARITY_OVER_TRAINING,
    SIMILARITY_PROMPTS,
)
from openrlhf_unlearn.report.numbers import Say
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


def models_say(**gaps) -> str:
    """The caption where models have these (corrected, plain) gaps, each mean ± 0.05; None where one cannot say."""
    rows = [
        {"cosine": kind, "group": group, "probe": probe, "mean": mean, "low": mean - 0.05, "high": mean + 0.05}
        for probe, both in gaps.items()
        for kind, gap in zip(("corrected", "plain"), both, strict=True)
        for group, mean in (("learnable", 0.6), ("unlearnable", 0.6 - gap if gap is not None else None))
        if mean is not None
    ]
    return Say(*SIMILARITY_OVER_MODELS.caption(None, columns(rows)), "").text


def test_the_smallest_gap_is_named_where_it_is_smaller_by_more_than_chance():
    said = models_say(base=(0.5, 0.3), mid=(0.1, 0.1))
    assert "is smallest under mid, 0.100 (0.029 to 0.171); whether" in said
    assert "is smallest under mid, 0.010" in models_say(base=(0.4, 0.4), mid=(None, 0.01)), "by what both have"


@pytest.mark.parametrize(
    "gaps",
    [
        {"base": (0.12, 0.4), "mid": (0.1, 0.1)},
        {"base": (0.5, 0.3), "mid": (0.1, 0.1), "other": (0.11, 0.5)},
        {"base": (0.4, 0.4), "mid": (None, 0.35)},
    ],
)
def test_no_gap_is_named_smallest_where_another_may_be(gaps):
    said = models_say(**gaps)
    assert "is not shown to be smallest under any of them; whether" in said and "smallest under mid" not in said


def test_nothing_is_said_of_gaps_that_a_model_lacks():
    assert models_say(base=(0.4, 0.4), mid=(None, None)) == "The same prompts under 2 models."


def test_models_of_the_same_gap_are_hardly_ever_told_apart():
    rng, named = np.random.default_rng(0), 0
    for _ in range(300):
        rows = [
            {"cosine": "plain", "group": group, "probe": probe, **group_mean(rng.normal(mean, 0.2, 20))}
            for probe in ("base", "mid")
            for group, mean in (("learnable", 0.5), ("unlearnable", 0.2))
        ]
        named += "smallest under {closest" in SIMILARITY_OVER_MODELS.caption(None, columns(rows))[0]
    assert named / 300 <= 0.07
