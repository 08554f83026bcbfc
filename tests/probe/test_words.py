"""What a probe says on the terminal, and when it must not say it."""

from pathlib import Path

import pytest

from openrlhf_unlearn.probe.analysis import order
from openrlhf_unlearn.probe.words import say
from openrlhf_unlearn.store.run_dir import RunDir

HIGH, MIDDLE, LOW = (0.40, 0.42), (0.30, 0.32), (0.20, 0.22)


def rows(easy, learnable, unlearnable) -> dict[str, dict]:
    found = {"easy": easy, "learnable": learnable, "unlearnable": unlearnable}
    return {k: {"corrected": sum(v) / 2, "low": v[0], "high": v[1]} for k, v in found.items()}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (rows(HIGH, MIDDLE, LOW), "holds, with separated intervals"),
        (rows(HIGH, (0.30, 0.41), LOW), "holds, but the intervals overlap"),
        (rows(HIGH, LOW, MIDDLE), "does not hold"),
        (rows(MIDDLE, MIDDLE, LOW), "does not hold"),
        ({**rows(HIGH, MIDDLE, LOW), "easy": None}, "too few rollouts or prompts to say"),
        ({k: {"corrected": None, "low": None, "high": None} for k in rows(HIGH, MIDDLE, LOW)}, "too few rollouts"),
    ],
)
def test_the_groups_order_is_said_to_hold_only_where_it_does(found, said):
    assert said in order(found)


def printed(pooled: dict, identical: int = 0, equal=(), left_out=()) -> str:
    group = {"prompts": 4, "median_rollouts": 2.0, "plain": 0.1, "enough_rollouts": 0, "identical_rollouts": identical}
    return say(
        RunDir(Path("run")),
        "initial",
        {
            "prompts": 4, "subspace": "LoRA", "dim": 8, "bytes_per_prompt": 32, "tokens": 9, "seconds": 1.0,
            "groups": {"easy": group}, "group_to_all": {"easy": pooled}, "order": "", "left_out": list(left_out),
            "separation": {"plain": None, "corrected": None, "equal": list(equal)},
        },
    )  # fmt: skip


def test_a_question_mark_stands_where_no_number_is_known():
    assert "plain 0.100, corrected ? [?, ?]; 0 have enough" in printed({"corrected": None, "low": None, "high": None})
    assert "corrected 0.200 [0.100, 0.300]" in printed({"corrected": 0.2, "low": 0.1, "high": 0.3})


def test_areas_identical_rollouts_and_what_was_left_out_are_said_only_where_there_are_some():
    plain = printed({})
    assert not any(word in plain for word in ("identical", "AUC", "rollouts each", "left out"))
    area = {"rollouts": 2, "auc": 0.5, "low": 0.4, "high": 0.6, "prompts": [9, 9]}
    full = printed({}, identical=3, equal=[area], left_out=["a"])
    assert all(word in full for word in ("3 of them identical ones", "at 2 rollouts each: 0.500", "1 prompts left out"))
