"""The three sentences, where there are no, one and many unlearnable prompts, and where little is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.report.answer import _gradients, _never_rewarded, _rewarded, _what, answer
from openrlhf_unlearn.report.groups import group_table
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.report.probes import separation
from openrlhf_unlearn.stats.auc import auc_with_interval
from openrlhf_unlearn.stats.means import wilson
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.summary import Summary
from tests.report.worlds import classify, evaluate, full_run, probe, prompts, start, train


def said(run) -> list[str]:
    """The sentences about a run, as `analyze` makes them, but without advice."""
    material = Material([run])
    return [say.text for say in answer(material, group_table(material), separation(material), None, [])]


def whole(path, made):
    run = full_run(path, made=made)
    classify(run)
    return run


def test_many(tmp_path):
    what, why = said(whole(tmp_path / "run", prompts(12)))
    assert what == (
        "Of 48 prompts 36 were hard (pass@1 below 0.1 before training): 12 (33 %; 95 % interval 20 % to 50 %) were "
        "learned, 12 (33 %; 20 % to 50 %) were rewarded in training and yet not learned, and 12 (33 %; 20 % to 50 %) "
        "had no correct rollout in training. Learned means at or above the threshold by the samples: had nothing "
        "changed, about 0.81 would be."
    )
    assert why.startswith("It may be for want of reward: 0 of 12 unlearnable prompts (0 %; 95 % interval 0 % to 24 %)")


def test_one(tmp_path):
    what, why = said(whole(tmp_path / "run", prompts(1, ("unlearnable",))))
    assert what == (
        "Of 1 prompt 1 was hard (pass@1 below 0.1 before training): 1 (100 %; 95 % interval 21 % to 100 %) was "
        "rewarded in training and yet not learned."
    )
    assert why.startswith("Whether it was for want of reward is open: 0 of 1 unlearnable prompt "), "one is no rule"


@pytest.mark.parametrize("kinds", [("easy", "learnable"), ("easy", "learnable", "no_reward")])
def test_none(tmp_path, kinds):
    what, *why = said(whole(tmp_path / "run", prompts(5, kinds)))
    assert "; none was rewarded in training and yet not learned." in what
    if "no_reward" in kinds:
        assert why == ["It was for want of reward: of 240 rollouts of these prompts in training not one was correct."]
    else:
        assert not why, "what was learned needs no reason"


def test_nothing_hard(tmp_path):
    (what,) = said(whole(tmp_path / "run", prompts(3, ("easy",))))
    assert what.startswith("Of 3 prompts none that can be graded had a pass@1 below 0.1 before training")


def test_provisional(tmp_path):
    run = start(tmp_path / "run", made := prompts(3))
    train(run, made, 6)
    what, _, now = said(run)
    assert what.startswith("So far: ") and now.startswith("These groups are provisional")


def test_gradients_wholly_apart_are_no_certainty_of_few_prompts(tmp_path):
    run = start(tmp_path / "run", made := prompts(6))
    train(run, made, 6)
    evaluate(run, made, "initial")
    evaluate(run, made, "final")
    probe(run, made, "initial")
    classify(run)
    found = separation(Material([run]))
    assert found["auc"] == 1 and found["low"] == pytest.approx(0.689, abs=0.001) and found["high"] == pytest.approx(1)
    assert "higher corrected cosine with probability 1.000 (95 % interval 0.689 to 1.000)" in said(run)[1]


# Data under which a sentence must not be said ------------------------------------------------------------------------


def runs_of(groups: list[str], *positives: list[int], n: int = 160) -> Material:
    """Just what the sentences about rewards read: in each run one visit a prompt with so many correct of n rollouts."""
    size, runs = len(groups), len(positives)
    found = Material([None] * runs)
    found.prompts, found.probes, found.groups = Prompts.of(prompt_id=list(map(str, range(size)))), {}, np.array(groups)
    found.learnability, found.summary = SimpleNamespace(), Summary({})
    found.visits = SimpleNamespace(
        run=np.repeat(range(runs), size), row=np.tile(range(size), runs), step=np.ones(runs * size),
        n=np.full(runs * size, n), n_positive=np.concatenate(positives),
    )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("positives", "said"),
    [([1] * 20, "It may be for want"), ([20] * 20, "It was not for want"), ([1, 20] * 10, "Whether it was for want")],
)
def test_want_of_reward_is_only_excluded_where_most_had_plenty(positives, said):
    text = Say(*_rewarded(runs_of(["unlearnable"] * 20, positives)), "answer").text
    assert text.startswith(f"{said} of reward")


def test_few_rewards_in_each_of_several_runs_are_not_plenty():
    """3 correct rollouts in each of 3 runs are no run's 8, though 9 together."""
    kinds = ["unlearnable"] * 20
    text = Say(*_rewarded(runs_of(kinds, *[[3] * 20] * 3)), "answer").text
    assert text.startswith("It may be for want of reward: 0 of 20")
    assert "in one run of at most 1 step (median 3)" in text
    plenty = Say(*_rewarded(runs_of(kinds, [3] * 20, [20] * 20)), "answer").text
    assert plenty.startswith("It was not for want of reward: 20 of 20") and "(median 20)" in plenty
    assert "in 1 step of training" in Say(*_rewarded(runs_of(kinds, [3] * 20)), "answer").text


def test_not_one_was_correct_is_only_said_where_it_is_so():
    assert "not one was correct" in Say(*_never_rewarded(runs_of(["no_reward"] * 3, [0] * 3)), "answer").text
    text = Say(*_never_rewarded(runs_of(["no_reward"] * 3, [0, 4, 0])), "answer").text
    assert "not one" not in text and "4 were correct" in text


def shares(material: Material) -> str:
    """The first sentence of hard prompts."""
    names, counts = np.unique(material.groups, return_counts=True)
    rows = {
        str(name): {"prompts": n, "share_of_hard": n / material.size, "share_of_hard_interval": None}
        for name, n in zip(names, counts.tolist(), strict=True)
    }
    return Say(*_what(material, rows), "answer").text


def test_without_a_reward_is_said_of_the_runs_that_had_none():
    """Three runs, one of them without a correct rollout: `no_reward` all the same, and not without a reward."""
    kinds = ["no_reward"] * 12 + ["learnable"]
    once = shares(runs_of(kinds, [0] * 13, [3] * 13, [3] * 13))
    assert "had no correct rollout in the training of some run." in once and "none was rewarded" not in once
    never = shares(runs_of(kinds, [0] * 13, [0] * 12 + [3], [0] * 13))
    assert "had no correct rollout in training; none was rewarded in training and yet not learned." in never


def test_none_was_rewarded_and_not_learned_is_not_said_beside_runs_that_disagree():
    assert "none was rewarded" in shares(runs_of(["learnable"], [3]))
    assert "none was rewarded" not in shares(runs_of(["learnable", "mixed"], [3, 3], [3, 3]))


def test_nothing_is_said_of_rewards_that_these_runs_did_not_sample():
    assert _never_rewarded(runs_of(["no_reward"], [0], n=0)) is None


def outcome(learnable: int, hard: int, **labels) -> str:
    low, high = wilson(learnable / hard, hard)
    rows = {
        "learnable": {"prompts": learnable, "share_of_hard": learnable / hard, "share_of_hard_interval": [low, high]},
        "unlearnable": {"prompts": hard - learnable, "share_of_hard": 0.1, "share_of_hard_interval": [0.0, 0.2]},
    }
    return Say(*_what(SimpleNamespace(easy=0.1, provisional=False, labels=labels), rows), "answer").text


def test_luck_is_said_where_it_may_be_all():
    """As many learnable as unchanged prompts would give: the sentence must not call that learning without more."""
    assert "may be no more than luck" in outcome(9, 100, learnable_by_chance=8.8)
    many = outcome(60, 100, learnable_by_chance=8.8)
    assert "had nothing changed, about 8.8 would be." in many and "no more than luck" not in many
    assert "nothing changed" not in outcome(60, 100, learnable_by_chance=0.1)


def test_transfer_is_said_only_of_what_surely_improved_without_a_reward():
    luck, sure = ({"prompts": 9, "improved": improved} for improved in (0, 2))
    assert (
        "2 of the learned rose by more than 0.05 in every run, each at a probability of 90 % or more, though some run "
        "never sampled a correct rollout of them in training."
    ) in outcome(60, 100, improved_by=0.05, learned_without_reward=sure)
    for learned in (luck, {"prompts": 9}, {}):
        assert "rollout of" not in outcome(60, 100, improved_by=0.05, learned_without_reward=learned), learned


def test_rewarded_is_not_said_of_prompts_that_were_never_visited():
    assert "rewarded in training" not in outcome(60, 100, unlearnable_not_visited=3)
    assert "rewarded in training" in outcome(60, 100, unlearnable_not_visited=0)


def test_gradients_of_one_kind_are_not_said_to_tell():
    """Cosines of both groups from one distribution: at most in one of twenty is anything claimed."""
    rng, claims = np.random.default_rng(0), []
    means = {"kind": "corrected", "mean_kind": "corrected", "unlearnable": 0.1, "learnable": 0.1, "equal": None}
    for _ in range(300):
        found = auc_with_interval(rng.normal(size=30), rng.normal(size=40))
        text = Say(*_gradients(means | found), "answer").text
        claims.append(not text.startswith("The gradients do not tell them apart for sure"))
    assert np.mean(claims) <= 0.05 + 2 * (0.05 * 0.95 / 300) ** 0.5


@pytest.mark.parametrize("width", [0.0, 0.1])
def test_an_order_needs_intervals_with_width_that_are_apart(width):
    from openrlhf_unlearn.probe.analysis import order

    means = {"easy": 0.3, "learnable": 0.2, "unlearnable": 0.1}
    rows = {name: {"corrected": mean, "low": mean - width, "high": mean + width} for name, mean in means.items()}
    assert "separated" not in order(rows)
