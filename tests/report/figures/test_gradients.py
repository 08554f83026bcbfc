"""What else the gradients say."""

from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.base import columns, records, render
from openrlhf_unlearn.report.figures.gradients import INTERFERENCE, SEPARATION
from openrlhf_unlearn.report.figures.marks import group_mean
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.store.run_dir import read_table


def test_interference_is_the_mean_over_prompts(run, material):
    rows = {(row["measure"], row["group"]): row for row in records(INTERFERENCE.data(material))}
    table = read_table(run.probe_table("interference", "initial")).to_pylist()
    groups = dict(zip(material.ids.to_pylist(), material.groups, strict=True))
    mine = [row["correct_batch"] for row in table if groups[row["prompt_id"]] == "easy"]
    assert rows["correct_batch", "easy"]["mean"] == pytest.approx(np.mean(mine)) and len(mine) == 12


def test_means_of_one_prompt_each_have_no_interval_and_are_drawn(tmp_path):
    rows = [{"measure": "within", "group": group, **group_mean(np.array([0.4]))} for group in ("easy", "learnable")]
    assert all(row["low"] is None for row in rows)
    assert render(INTERFERENCE, columns(rows), tmp_path, ()).startswith("<svg")


TOLD, REVERSED, NEITHER = (0.9, 0.8, 0.95), (0.3, 0.2, 0.45), (0.52, 0.4, 0.65)  # area, and its interval


def separation_says(plain, corrected, *equal) -> str:
    """The caption of these areas; equal: (rollouts, prompts of a group, area) from the fewest rollouts to the most."""
    areas = lambda prompts, area: {"prompts": [prompts] * 2, **dict(zip(("auc", "low", "high"), area, strict=True))}  # noqa: E731
    numbers = {kind: area and areas(40, area) for kind, area in (("plain", plain), ("corrected", corrected))}
    numbers["equal"] = [{"rollouts": n, **areas(prompts, area)} for n, prompts, area in equal]
    material = SimpleNamespace(probe=SimpleNamespace(numbers={"separation": numbers}))
    return Say(*SEPARATION.caption(material, SEPARATION.data(material)), "").text


def test_groups_told_apart_at_equal_numbers_are_not_told_by_these_alone():
    assert separation_says(TOLD, TOLD, (2, 40, TOLD)).endswith("): so it is not the number of rollouts alone.")


@pytest.mark.parametrize("corrected", [NEITHER, None])
def test_the_number_of_rollouts_may_be_all_of_what_only_the_plain_cosine_tells(corrected):
    said = separation_says(TOLD, corrected, (2, 40, NEITHER))
    assert said.endswith("0.520 (0.400 to 0.650): so the number of rollouts may be all of it.")


@pytest.mark.parametrize(
    ("plain", "corrected", "equal"),
    [(NEITHER, NEITHER, NEITHER), (TOLD, TOLD, NEITHER), (TOLD, NEITHER, REVERSED), (None, None, NEITHER)],
)
def test_nothing_is_said_of_the_number_of_rollouts_where_it_explains_nothing(plain, corrected, equal):
    said = separation_says(plain, corrected, (2, 40, equal))
    assert said.endswith(f"({equal[1]:.3f} to {equal[2]:.3f}).")


def test_what_is_said_of_equal_numbers_is_of_enough_prompts():
    assert "With 4 correct rollouts" in separation_says(TOLD, None, (2, 40, TOLD), (4, 20, TOLD), (8, 19, NEITHER))
    assert "With 2 correct rollouts" in separation_says(TOLD, None, (2, 15, TOLD), (4, 12, NEITHER))
