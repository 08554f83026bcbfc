"""The three sentences, where there are no, one and many unlearnable prompts, and where little is known."""

import pytest

from openrlhf_unlearn.report.answer import answer
from openrlhf_unlearn.report.build import clean
from openrlhf_unlearn.report.groups import HARD, group_table
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.probes import separation
from tests.report.worlds import classify, evaluate, full_run, probe, prompts, start, train


def said(run) -> list[str]:
    """The sentences about a run, as `analyze` makes them, but without advice."""
    material = Material([run])
    table = group_table(material)
    report = {
        "groups": clean(table), "labelled": sum(row["prompts"] for row in table.values()), "easy": 0.1, "advice": [],
        "hard": sum(table[group]["prompts"] for group in HARD if group in table), "prompts": material.size,
        "provisional": material.provisional, "training": {"steps": 6},
    }  # fmt: skip
    return [say.text for say in answer(report, material, separation(material))]


def whole(path, made):
    run = full_run(path, made=made)
    classify(run)
    return run


def test_many(tmp_path):
    what, why = said(whole(tmp_path / "run", prompts(12)))
    assert what == (
        "Of 48 prompts 36 were hard (pass@1 below 0.1 before training): 12 (33 %; 95 % interval 20 % to 50 %) were "
        "learned, 12 (33 %; 20 % to 50 %) were rewarded in training and yet not learned, and 12 (33 %; 20 % to 50 %) "
        "never had a correct rollout."
    )
    assert why.startswith("It was not for want of reward: the unlearnable prompts had ") and "95 % interval" in why


def test_one(tmp_path):
    what, why = said(whole(tmp_path / "run", prompts(1, ("unlearnable",))))
    assert what == (
        "Of 1 prompt 1 was hard (pass@1 below 0.1 before training): 1 (100 %; 95 % interval 21 % to 100 %) was "
        "rewarded in training and yet not learned."
    )
    assert "the unlearnable prompt had" in why and "interval" not in why, "one prompt has no spread"


@pytest.mark.parametrize("kinds", [("easy", "learnable"), ("easy", "learnable", "no_reward")])
def test_none(tmp_path, kinds):
    what, *why = said(whole(tmp_path / "run", prompts(5, kinds)))
    assert what.endswith("; none was rewarded in training and yet not learned.")
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
