"""Advice whose numbers can be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from openrlhf_unlearn.causes import CAUSES
from openrlhf_unlearn.report.advice import Advice, advise
from openrlhf_unlearn.report.causes import Causes
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.store.config import RunConfig
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.summary import Summary
from tests.report.worlds import prompts, start, train


@pytest.mark.parametrize("flag", ["skip_prompts", "only_prompts"])
def test_what_leaving_prompts_out_saved(tmp_path, flag):
    made = prompts(5)
    trained = [prompt for prompt in made if prompt.kind != "unlearnable"]
    run = start(tmp_path / "run", made, args={"unlearn": {flag: "ids.json"}})
    train(run, trained, steps=4, k=8)
    (item,) = [item for item in advise(Material([run]), None, {}) if item.name == "left_out"]
    assert {made[row].kind for row in item.rows} == {"unlearnable"} and len(item.rows) == 5
    assert item.numbers["rollouts"] == 5 * 4 * 8 and item.flag == "--unlearn.skip_prompts {list}", (
        "the list is of what was left out"
    )


def test_nothing_was_left_out_where_no_flag_asked_for_it(tmp_path):
    made = prompts(5)
    run = start(tmp_path / "run", made)
    train(run, made[:10], steps=4)
    assert "left_out" not in [item.name for item in advise(Material([run]), None, {})]


# Data under which an advice must not be given -------------------------------------------------------------------------


def seen(groups: list[str], confidence=0.99, n=80, failed=0, forecast=None, positives=None, hinted=0) -> Material:
    """Just what advice reads, of prompts with one visit of n rollouts in each run; positives: (runs, prompts)."""
    positives = np.zeros((1, len(groups)), int) if positives is None else np.array(positives)
    runs, size = positives.shape
    found = Material([SimpleNamespace(steps=lambda kind="rewards": [], config=RunConfig)] * runs)
    found.learnability = SimpleNamespace()
    found.prompts = Prompts.of(prompt_id=list(map(str, range(size))))
    found.groups, found.config, found.judgements, found.causes = np.array(groups, dtype=object), RunConfig(), {}, None
    none = np.zeros(runs * size)
    found.visits = SimpleNamespace(
        run=np.repeat(range(runs), size), row=np.tile(range(size), runs), n=np.full(runs * size, n),
        n_hinted=none + hinted,
        n_positive=positives.ravel(), failed={"timeout": none + failed, "error": none, "no_answer": none},
    )  # fmt: skip
    found.summary = Summary({"forecast": forecast})
    found.label_column = lambda name: np.broadcast_to(np.asarray(confidence, float), size)
    return found


def given(material, outliers=None, answers=()) -> dict[str, Advice]:
    return {item.name: item for item in advise(material, outliers, dict(answers))}


def text_of(item: Advice) -> str:
    return item.say(0).text


def test_nothing_is_advised_of_a_run_that_learned_everything():
    assert not given(seen(["easy", "learnable", "learnable"]))


def test_only_what_is_surely_not_learned_is_listed_to_be_dropped():
    groups = ["unlearnable", "unlearnable", "no_reward", "learnable"]
    item = given(seen(groups, confidence=[0.99, 0.6, 0.95, 0.99]))["drop"]
    assert item.rows.tolist() == [0, 2] and "1 more is not sure enough" in text_of(item)
    assert "drop" not in given(seen(groups, confidence=0.6)), "labels as sure as a coin"
    assert "drop" not in given(seen(groups, n=0)), "nothing was sampled, so nothing is saved"
    assert "not sure enough" not in text_of(given(seen(groups))["drop"])


def test_what_hints_cost_is_saved_too_where_prompts_are_left_out():
    item = given(seen(["unlearnable", "easy"], hinted=20))["drop"]
    assert (item.numbers["rollouts"], item.numbers["total"]) == (100, 200)


def test_with_a_diagnosis_only_what_nothing_else_is_done_with_is_dropped():
    """Neither what cannot be told, nor what is oversampled or mended, though its group is sure."""
    open_one = {"p_beyond": 0.35, "p_wrong_label": 0.55, "p_random_label": 0.1}
    told = [
        ("guessable", {"p_guessable": 0.7, "p_wrong_label": 0.3}), ("undecided", open_one),
        ("never_rewarded", {"p_never_rewarded": 0.9, "p_beyond": 0.1}),
        ("undecided", {"p_beyond": 0.5, "p_random_label": 0.5}),
    ]  # fmt: skip
    table = [SimpleNamespace(cause=cause, **{f"p_{name}": 0.0 for name in CAUSES} | p) for cause, p in told]
    material = seen(["unlearnable"] * 4)
    material.causes = Causes(table, {i: i for i in range(4)}, {"remedies": []}, 4)
    item = given(material)["drop"]
    assert item.rows.tolist() == [0, 3]
    assert "2 more are not listed: another step comes first" in text_of(item)
    assert "may yet" not in text_of(given(seen(["unlearnable"]))["drop"])


def test_what_wrong_rollouts_exclude():
    item = given(seen(["no_reward"] * 4, n=80))["no_reward"]
    assert item.numbers["bound"] == pytest.approx(1 - 0.05 ** (1 / 80)), "the rule of three, exactly"
    assert "cannot say" in text_of(item) and "sub-problem" not in text_of(item)
    assert "no_reward" not in given(seen(["unlearnable"] * 4)) and "no_reward" not in given(seen(["no_reward"], n=0))


def test_wrong_rollouts_exclude_nothing_where_another_run_has_correct_ones():
    item = given(seen(["no_reward"] * 4, n=16, positives=[[0] * 4, [3, 3, 3, 0], [3, 3, 3, 3]]))["no_reward"]
    text = text_of(item)
    assert "in the training of some run, with 16 sampled of each there (median); of 4 another run had some" in text
    assert "exclude" not in text and "bound" not in item.numbers
    other = seen(["no_reward"] * 4, positives=[[3] * 4])
    assert "no_reward" not in given(other), "labels of other runs, and this one had correct rollouts of all"
    both = given(seen(["no_reward"] * 4, n=16, positives=[[0] * 4] * 2))["no_reward"]
    assert both.numbers["bound"] == pytest.approx(1 - 0.05 ** (1 / 32)) and "some run" not in text_of(both)


def test_a_verifier_is_only_suspect_that_fails():
    assert "verifier" in given(seen(["learnable"], failed=16))
    assert "verifier" not in given(seen(["learnable"], failed=15))
    assert given(seen(["learnable", "ungradable"]))["verifier"].rows.tolist() == [1]


def test_more_samples_only_where_a_group_is_open():
    assert given(seen(["mixed", "easy"], confidence=[0.5, 0.99]))["evaluate"].rows.tolist() == [0]
    assert "evaluate" not in given(seen(["mixed", "easy"], confidence=0.95))


def test_no_word_of_a_consensus_that_is_none():
    assert "consensus" not in given(seen(["unlearnable"]))


def test_outliers_are_for_the_eye_and_for_no_cure():
    groups, flagged = ["unlearnable", "unlearnable", "learnable"], np.array([True, False, True])
    item = given(seen(groups), flagged)["outliers"]
    assert item.rows.tolist() == [0]
    text = text_of(item)
    assert "mid-training" not in text and "augment" not in item.flag and "is not known" in text
    assert "outliers" not in given(seen(groups)), "nothing was tested"
    assert "outliers" not in given(seen(groups), ~flagged & (np.array(groups) == "learnable"))


def test_no_skipping_by_a_forecast_that_may_be_a_coin():
    row = {"share_of_hard_prompts": 0.25, "prompts": 5, "learnable_lost": 1, "share_of_learnable_lost": 0.1}
    quality = {"prompts": 2, "at_risk": 1, "skipping": [row], "auc": 0.7, "auc_interval": [0.55, 0.85]}
    quality["gradients"] = {"why_not": "no probe"}
    groups = ["learnable", "unlearnable", "mixed"]
    assert "Gradients are not used: no probe." in text_of(given(seen(groups, forecast=quality))["forecast"])
    assert "forecast" not in given(seen(groups, forecast={**quality, "auc_interval": [0.45, 0.85]}))
    assert "forecast" not in given(seen(groups, forecast={**quality, "learned_from": "runs/other"}))
    assert "forecast" not in given(seen(groups[1:], forecast=quality)), "labels have changed since"
