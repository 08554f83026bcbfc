"""Rates before and after, and what is called a change."""

import numpy as np
import pytest

from openrlhf_unlearn.report.figures.groups import CHANGE, PASS_RATES, changed
from openrlhf_unlearn.report.material import Material, Tally
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


def test_groups_chosen_by_the_samples_show_more_changes_by_chance_and_the_caption_says_so():
    rng = np.random.default_rng(0)
    before, after = (tally(32, rng.binomial(32, 0.1, 20_000)) for _ in range(2))
    found = changed(before, after)
    easy = before.rate >= 0.1
    assert (found[easy] < 0).mean() > 1.5 * (found < 0).mean()
    assert (found[~easy & (after.rate >= 0.1)] > 0).mean() > 1.5 * (found > 0).mean()
    text, _ = CHANGE.caption(None, {"group": ["easy"], "worse": [3], "prompts": [40]})
    assert "of all unchanged prompts up to" in text and "have more than their part of these" in text
