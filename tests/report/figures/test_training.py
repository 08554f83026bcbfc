"""What training did."""

from types import SimpleNamespace

import numpy as np

from openrlhf_unlearn.report.figures.base import columns, records
from openrlhf_unlearn.report.figures.training import (
    CLIPPING,
    TURNOVER,
    acceptance_data,
    after_solved,
    clipping_data,
    solved_state,
)
from openrlhf_unlearn.report.numbers import Say


def test_acceptance_is_of_runs_with_a_filter():
    visits = SimpleNamespace(step=np.ones(2), accepted=np.zeros(2, bool), reason=np.array([None, None], dtype=object))
    assert acceptance_data(SimpleNamespace(visits=visits)) is None
    visits.reason[:] = "constant_reward"
    assert acceptance_data(SimpleNamespace(visits=visits)) is not None


def test_turnover_needs_a_clear_fall():
    rewards = np.array([0.3, 0.6, 0.4, 0.1, 0.4, 0.5, 0.9])
    start_ = np.array([True, False, False, False, False, False, True])
    assert solved_state(rewards, start_).tolist() == [0, 1, 1, 0, 0, 1, 1]


def trained(lost: np.ndarray, visits: int) -> SimpleNamespace:
    """Prompts that are solved at every other visit, and between these lost at so many of `visits`, (prompts,)."""
    rates = np.ones((len(lost), 2 * visits))
    rates[:, 1::2][np.arange(visits) < lost[:, None]] = 0
    row, step = np.divmod(np.arange(rates.size), 2 * visits)
    made = SimpleNamespace(row=row, step=step, run=row * 0, pass_rate=rates.ravel())
    return SimpleNamespace(visits=made, groups=np.full(len(lost), "easy", dtype=object), size=len(lost))


def test_the_interval_of_what_was_lost_is_over_prompts():
    """Each prompt is lost at all of its six visits or at none: as sure as so many prompts, not six times as many."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(100):
        material = trained(6 * (rng.random(20) < 0.3), 6)
        step, _, gone = after_solved(material)
        assert len(step) == len(gone) > 20
        numbers = TURNOVER.caption(material, TURNOVER.data(material))[1]
        true = 0.3  # of a prompt's visits after a solved one: 6 of 6 if it is one that is lost
        held += numbers["low"] <= true <= numbers["high"]
    assert held >= 92


def test_of_visits_only_those_to_prompts_of_a_group_after_a_solved_one_count():
    material = trained(np.array([1, 0, 1]), 2)
    material.groups[2] = ""
    said = Say(*TURNOVER.caption(material, TURNOVER.data(material)), "").text
    assert "1 of 5 in all; the mean of 2 prompts is 25 %" in said
    one = trained(np.array([0]), 2)
    assert (
        "the mean of 1 prompt is 0 % (95 % interval 0 % to 100 %)"
        in Say(*TURNOVER.caption(one, TURNOVER.data(one)), "").text
    )


def clipped(fractions: np.ndarray) -> SimpleNamespace:
    """Unlearnable prompts with these clipped shares of their correct rollouts at one step, (runs, prompts)."""
    row = np.tile(np.arange(fractions.shape[1]), len(fractions))
    values = fractions.ravel()
    table = SimpleNamespace(step=row * 0 + 1, positive_clip_fraction=values, negative_clip_fraction=values * np.nan)
    groups = np.full(fractions.shape[1], "unlearnable", dtype=object)
    return SimpleNamespace(steps_of=lambda kind: (table, row), groups=groups)


def test_a_prompt_that_several_runs_clipped_counts_once():
    (row,) = records(clipping_data(clipped(np.array([[0.1, 0.2], [0.3, 0.2], [0.2, 0.2]]))))
    assert row["prompts"] == 2 and abs(row["clip_fraction"] - 0.2) < 1e-9


def test_the_caption_of_clipping_gives_an_interval_and_names_no_cause():
    for peak in (0.0, 0.0005, 0.2):
        material = clipped(np.array([[peak, peak, peak / 2]]))
        said = Say(*CLIPPING.caption(material, clipping_data(material)), "").text
        assert " to " in said.split("Their highest point is")[1] and "cause" not in said
    row = {"rollouts": "positive", "group": "unlearnable", "clip_fraction": 0.2, "low": None, "high": None}
    assert Say(*CLIPPING.caption(None, columns([row])), "").text.endswith("Their highest point is 20 %.")
