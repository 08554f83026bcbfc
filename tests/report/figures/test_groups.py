"""Rates before and after, and what is called a change."""

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.base import columns
from openrlhf_unlearn.report.figures.groups import CHANGE, PASS_RATES, changed
from openrlhf_unlearn.report.material import Material, Tally
from openrlhf_unlearn.report.numbers import Say
from tests.report.worlds import evaluate, prompts, start


def test_nothing_is_said_of_adaptive_sampling_where_there_was_none(tmp_path):
    made = prompts(3)
    run = start(tmp_path / "run", made)
    evaluate(run, made, "initial")
    material = Material([run])
    assert "daptive" not in PASS_RATES.caption(material, PASS_RATES.data(material))[0]


def tally(n: int, positive: np.ndarray) -> Tally:
    return Tally(np.full(len(positive), n), positive, {}, positive / n, False)


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("sizes", [(8, 8), (32, 32), (32, 96)])
def test_at_most_one_in_twenty_unchanged_prompts_shows_a_change(rate, sizes):
    rng = np.random.default_rng(0)
    found = changed(*(tally(n, rng.binomial(n, rate, 20_000)) for n in sizes))
    assert (found != 0).mean() <= 0.05
    better = changed(tally(32, np.array([1])), tally(32, np.array([30])))
    assert better.tolist() == [1.0]


def test_of_groups_that_the_same_samples_chose_more_show_a_change_by_chance():
    rng = np.random.default_rng(0)
    for rate, group, change in ((0.15, "learnable", 1), (0.05, "easy", -1)):
        before, after = (tally(128, rng.binomial(128, rate, 20_000)) for _ in range(2))
        found, hard = changed(before, after), before.rate < 0.1
        chosen = hard & (after.rate >= 0.1) if group == "learnable" else ~hard
        assert (found != 0).mean() <= 0.05 < 0.2 < (found[chosen] == change).mean()


def test_what_is_a_change_by_chance_is_said_and_forgetting_only_of_easy_prompts():
    row = {"group": "learnable", "prompts": 40, "worse": 0, "better": 40, "unchanged": 0}
    said = Say(*CHANGE.caption(None, columns([row])), "").text
    assert "up to 5.0 % of all unchanged ones" in said and "it can be far more" in said and "Forgetting" not in said
    said = Say(*CHANGE.caption(None, columns([{**row, "group": "easy", "worse": 3, "better": 0}])), "").text
    assert said.endswith("Forgetting would be easy ones that got worse: 3 of 40 did.")
