import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.collect import tracker as tracker_module
from openrlhf_unlearn.collect.judgement import Judgement
from openrlhf_unlearn.collect.tracker import Sampled, Tracker
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Rewards, TrainingRollouts, drop_after

visits = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=6),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def judged(rewards):
    return [Judgement(r, None, r > 0.5, "correct" if r > 0.5 else "no_answer", {}) for r in rewards]


def observe_all(tracker, visits):
    for name, rewards, accepted in visits:
        tracker.observe(Sampled(name, judged(rewards)), accepted, "accepted" if accepted else "zero_variance")


@given(visits)
def test_rows_say_what_was_sampled_and_metrics_what_was_earned(tmp_path_factory, visits):
    run = RunDir(tmp_path_factory.mktemp("run"))
    tracker = Tracker(run)
    observe_all(tracker, visits)
    metrics = tracker.finish_step(1)
    rows = Rewards.read(run).arrow.to_pylist()
    assert [(r["prompt_id"], r["n"], r["n_positive"], r["accepted"]) for r in rows] == [
        (name, len(rewards), sum(rewards), accepted) for name, rewards, accepted in visits
    ]
    for row, (_, rewards, _) in zip(rows, visits, strict=True):
        assert row["mean_reward"] == row["pass_rate"] == statistics.fmean(rewards)
        assert row["n_no_answer"] == rewards.count(0.0)
        assert row["processed"] is False and row["step"] == 1
    assert metrics["unlearn/pass_rate"] == statistics.fmean(accepted for *_, accepted in visits)
    by_curve = sum(
        metrics.get(f"unlearn/prompts_{curve}", 0) for curve in ("first_visit", "easy", "hard", "never_positive")
    )
    assert by_curve == len(visits)


def test_a_curve_is_fixed_by_first_sight_and_by_ever_a_positive(tmp_path):
    tracker = Tracker(RunDir(tmp_path))
    observe_all(tracker, [("a", [1.0, 0.0], True), ("b", [0.0, 0.0], False), ("c", [0.0, 0.0], False)])
    assert tracker.curve_of == {"a": "easy", "b": "never_positive", "c": "never_positive"}
    tracker.finish_step(1)
    observe_all(tracker, [("a", [0.0, 0.0], False), ("b", [0.0, 1.0], True)])
    assert tracker.curve_of == {"a": "easy", "b": "hard", "c": "never_positive"}


def test_curves_do_not_choose_prompts_by_what_they_plot(tmp_path):
    """A constant pass rate of 0.05: every curve stays there, from its first point on."""
    rng, tracker, curves = random.Random(0), Tracker(RunDir(tmp_path)), {}
    for step in range(1, 11):
        visits = [(str(i), [float(rng.random() < 0.05) for _ in range(8)], True) for i in range(1500)]
        observe_all(tracker, visits)
        for name, value in tracker.finish_step(step).items():
            if name.startswith("unlearn/reward_") and name != "unlearn/reward_easy":  # hardly any
                curves.setdefault(name, []).append(value)
    assert set(curves) == {"unlearn/reward_first_visit", "unlearn/reward_hard", "unlearn/reward_never_positive"}
    assert all(abs(value - 0.05) < 0.02 for values in curves.values() for value in values)


def test_state_round_trip_and_only_the_first_wave_in_the_mean(tmp_path):
    tracker = Tracker(RunDir(tmp_path), save_rollouts=1, first_wave=2)
    tracker.observe(Sampled("a", judged([0.0, 0.0, 1.0, 1.0]), ["x", "y"]), True, "accepted")
    tracker.finish_step(1)
    row = Rewards.read(tracker.run).arrow.to_pylist()[0]
    assert (row["n"], row["n_positive"], row["mean_reward"], row["pass_rate"]) == (4, 2, 0.0, 0.0)
    assert [r["response"] for r in TrainingRollouts.read(tracker.run).arrow.to_pylist()] == ["x"]
    again = Tracker(RunDir(tmp_path))
    again.load_state_dict(tracker.state_dict())
    assert again.curve_of == tracker.curve_of == {"a": "hard"}


def test_curves_and_turnover_count_positives_not_rewards(tmp_path):
    """Of rewards of -1 and 1 the mean is 0 where half are right; of shaped ones it says nothing at all."""
    tracker = Tracker(RunDir(tmp_path))
    shaped = [Judgement(0.4, 1.0, True, "correct", {}), Judgement(0.9, 0.0, False, "wrong", {})]
    tracker.observe(Sampled("half", judged([-1.0, 1.0])), True, "accepted")
    tracker.observe(Sampled("shaped", shaped), True, "accepted")
    tracker.observe(Sampled("none", judged([-1.0, -1.0])), False, "zero_variance")
    assert tracker.curve_of == {"half": "easy", "shaped": "easy", "none": "never_positive"}
    assert tracker.finish_step(1)["unlearn/newly_solved"] == 2
    rows = Rewards.read(tracker.run).arrow.to_pylist()
    assert [(row["pass_rate"], row["mean_reward"]) for row in rows] == [(0.5, 0.0), (0.5, 0.65), (0.0, -1.0)]


@pytest.mark.parametrize(
    ("rewards", "told"), [([0.0, 1.0], None), ([-1.0, 1.0, 1.0], "from -1 to 1; 2 of 3"), ([0.1, 0.3], "0.3; 0 of 2")]
)
def test_what_counts_as_positive_is_told_once_unless_it_goes_without_saying(tmp_path, monkeypatch, rewards, told):
    said = []
    monkeypatch.setattr(tracker_module.logger, "info", said.append)
    tracker = Tracker(RunDir(tmp_path))
    for step in (1, 2):
        tracker.observe(Sampled("a", judged(rewards)), True, "accepted")
        tracker.finish_step(step)
    assert len(said) == (told is not None)
    assert told is None or told in said[0]


def test_a_resume_drops_later_steps_and_rewrites_repeat_nothing(tmp_path):
    run = RunDir(tmp_path)
    tracker = Tracker(run)
    for step in (1, 2, 3):
        observe_all(tracker, [("a", [1.0], True)])
        tracker.finish_step(step)
    assert drop_after(run, 1) == 2
    assert run.steps() == [1]
    observe_all(tracker, [("b", [1.0], True)])
    tracker.finish_step(2)
    observe_all(tracker, [("c", [1.0], True)])
    tracker.finish_step(2)
    assert Rewards.read(run).arrow.column("prompt_id").to_pylist() == ["a", "c"]


def test_the_commonest_wrong_answers_of_a_visit_are_counted_and_no_right_one(tmp_path):
    tracker = Tracker(RunDir(tmp_path))
    given = ["a", "a", "b", "c", "d", "e", "e", "e", None, "right"]
    rewards = [0.0] * 9 + [1.0]
    tracker.observe(Sampled("p", judged(rewards), answers=given), True, "accepted")
    tracker.observe(Sampled("unread", judged([0.0])), True, "accepted")
    tracker.finish_step(1)
    read, unread = Rewards.read(tracker.run).arrow.to_pylist()
    assert (read["wrong_answers"][:2], read["wrong_counts"]) == (["e", "a"], [3, 2, 1, 1])
    assert unread["wrong_answers"] is None


def test_histories_are_of_the_first_wave_and_survive_a_resume(tmp_path):
    tracker = Tracker(RunDir(tmp_path), first_wave=2)
    tracker.observe(Sampled("a", judged([0.0, 0.0, 1.0, 1.0])), True, "accepted")
    assert tracker.histories["a"].visits == 1 and not tracker.histories["a"].rewarded
    again = Tracker(RunDir(tmp_path))
    again.load_state_dict(tracker.state_dict())
    assert again.histories == tracker.histories
