"""Shaped rewards, scores, a schedule, a filter of the user's own and an evaluation in the real stack."""

import json
import math
import re
import signal

import pytest

from openrlhf_unlearn.store.run_dir import read_table
from openrlhf_unlearn.store.training import Clipping, Likelihood
from tests.integration.history import resumed_state, saved_state
from tests.integration.stack import ENDED, NO_REFERENCE, ROOT, Training, check_run, error_line

pytestmark = pytest.mark.slow

SHAPED = f"""
import importlib.util, random

spec = importlib.util.spec_from_file_location("ours", {str(ROOT / "examples" / "reward_math.py")!r})
ours = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ours)

def reward_func(queries, prompts, labels):
    if labels == ["never"]:
        raise KeyError("no such label")
    right = ours.reward_func(queries, prompts, labels)["rewards"].tolist()
    return {{"rewards": [0.4 * r - 0.1 * random.random() for r in right], "scores": right, "extra_logs": {{"n": [1]}}}}
"""


@pytest.fixture
def reward(tmp_path):
    path = tmp_path / "reward.py"
    path.write_text(SHAPED)
    return path


def consumed(sampled: list[dict], step: int) -> float:
    """The share of all prompts that the batches up to this one took."""
    return sum(row["step"] <= step for row in sampled) / len(sampled)


def floor_cosine(share: float) -> float:
    """The host's cosine from the peak, 1, to its floor, a tenth."""
    return 0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2


@ENDED
def test_scores_judge_penalties_do_not_and_the_learning_rate_ends_near_its_floor(world, tmp_path, reward, ended):
    """Rewards never pass 0.5; the host's penalty overwrites them; the filter is named relative to the launcher.

    Ended: Ctrl-C ends a first launch, and the second goes on with the filter's state and the learning rate.
    """
    training = Training(world, tmp_path)
    changes = {
        **NO_REFERENCE,
        "rollout__batch_size": 16,
        "train__batch_size": 64,
        "ckpt__save_steps": 1,
        "ckpt__load_enable": True,
        "reward__remote_url": reward,
        "reward__stop_properly_penalty_coef": -0.5,
        "actor__lr_scheduler": "cosine_with_min_lr",
        "actor__dual_clip": 3.0,
        "algo__advantage__is_correction_level": "token",
        "unlearn__filter": "examples/my_filter.py:NearlySolved",
    }
    before = 0
    if ended:
        training.start_and_signal(3, signal.SIGINT, **changes)
        before, _ = resumed_state(training)
        assert before >= 2
    text = training(**changes)
    check_run(training, batch=16)
    last = training.run.steps("clipping")[-1]
    rows, sampled = training.rows(processed=True), training.rows(processed=False)
    assert {row["reason"] for row in sampled} == {"accepted", "no_positive", "nearly_solved"}
    solved = sum(row["reason"] == "nearly_solved" for row in sampled if row["step"] <= last)
    assert saved_state(training, last)["filter"] == {"nearly_solved_seen": solved}
    assert {row["n_positive"] for row in rows} <= set(range(1, 7)) and max(row["mean_reward"] for row in rows) < 0.5
    # What the loss saw of a prompt is what the tracker had said of it, whatever the penalty made of its reward.
    told = {(row["step"], row["prompt_id"]): row["n_positive"] for row in rows}
    for kind in (Clipping, Likelihood):
        seen = kind.read(training.run).rows()
        assert {(row.step, row.prompt_id): row.n_positive for row in seen} == told, kind
    rates = [float(rate) for rate in re.findall(r"'actor_lr': ([0-9.e-]+)", text)]
    assert len(rates) == last - before
    # The schedule ends where the last batch's prompts end, a few before the data do. By optimiser steps it would be
    # above half of the peak.
    assert rates == sorted(rates, reverse=True)
    assert floor_cosine(consumed(sampled, last)) <= rates[-1] / 5e-5 * 1.001 < floor_cosine(consumed(sampled, last - 1))
    assert rates[-1] / 5e-5 < 0.4
    accepted = sum(row["accepted"] for row in sampled)
    assert accepted < 0.8 * read_table(training.run.prompts).num_rows, (
        "nearly everything was accepted: this shows little"
    )
    assert "unlearn_id" not in text


@pytest.mark.long("test_generator.py for the line, test_schedule.py for the critic")
def test_an_evaluation_whose_reward_function_raises_ends_in_one_line(world, tmp_path, reward):
    """After a step with a critic, whose learning rate follows the prompts too."""
    data = tmp_path / "eval.jsonl"
    data.write_text(json.dumps({"prompt": "A1=", "label": "never"}) + "\n")
    training = Training(world, tmp_path)
    text = training(
        expect=1,
        rollout__batch_size=16,
        reward__remote_url=reward,
        algo__advantage__estimator="gae",
        critic__num_gpus_per_node=1,
        eval__dataset=data,
        eval__steps=1,
        unlearn__filter="none",
        **NO_REFERENCE,
    )
    assert "the reward function failed: KeyError: 'no such label' (prompt 'A1=')" in error_line(text)
    assert training.run.steps("clipping") == [1]
