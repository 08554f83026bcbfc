"""A forecast in the report: of this run by today's labels alone, and never without what simpler ones reach."""

import pytest

from openrlhf_unlearn.labels.forecast import forecast, save
from openrlhf_unlearn.report.figures.groups import forecast_caption, forecast_data
from openrlhf_unlearn.report.forecast import beside, own_forecast
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Say
from openrlhf_unlearn.store.run_dir import read_json
from openrlhf_unlearn.store.summary import Summary
from tests.report.test_answer import runs_of
from tests.report.worlds import classify, full_run

GROUPS = ["learnable"] * 3 + ["unlearnable", "no_reward", "mixed", "easy"]
BETTER, WORSE, OPEN = (
    {"difference": (low + high) / 2, "low": low, "high": high} for low, high in ((0.1, 0.3), (-0.3, -0.1), (0.0, 0.2))
)
OWN = {
    "prompts": 5, "at_risk": 2, "auc": 0.8, "auc_interval": [0.6, 0.9], "calibration_error": 0.1,
    "calibration": [{"prompts": 5, "forecast": 0.4, "happened": 0.4}],
}  # fmt: skip


def material(quality: dict, groups: list[str] = GROUPS):
    found = runs_of(groups, [1] * len(groups))
    found.summary = Summary({"forecast": quality})
    return found


@pytest.mark.parametrize(
    ("quality", "own"),
    [
        (OWN, True),
        (OWN | {"learned_from": "runs/other"}, False),  # `forecast OTHER --to RUN`
        (OWN | {"at_risk": 1}, False),  # labels are new, and a forecast of them was refused or not asked for
        (OWN | {"prompts": 9}, False),
        ({}, False),
    ],
)
def test_no_forecast_is_shown_but_of_this_run_by_its_labels(quality, own):
    assert bool(own_forecast(material(quality))) == own
    assert bool(forecast_data(material(quality))) == own


def test_a_forecast_of_the_runs_own_labels_is_shown(tmp_path):
    run = full_run(tmp_path / "run")
    classify(run)
    save(forecast(str(run)))
    assert own_forecast(Material([run])) == read_json(run.summary)["forecast"]


def test_provisional_groups_have_no_forecast():
    found = material(OWN)
    found.learnability = None
    assert not own_forecast(found)


def said(quality: dict) -> str:
    found = material(OWN | quality)
    return Say(*forecast_caption(found, forecast_data(found)), "figures.forecast").text


@pytest.mark.parametrize(("gain", "word"), [(BETTER, "better"), (WORSE, "worse"), (OPEN, "not shown to be better")])
def test_a_simpler_forecast_stands_beside_it(gain, word):
    text = said({"baselines": [{"name": "initial pass rate", "auc": 0.7, "gain": gain}]})
    assert f"By initial pass rate alone the AUC is 0.700: the forecast is {word} (difference " in text
    assert "alone the AUC" not in said({})


@pytest.mark.parametrize(("gain", "word"), [(BETTER, "better"), (WORSE, "worse"), (OPEN, "not shown to be better")])
def test_the_hidden_state_stands_beside_it(gain, word):
    state = {"prompts": [30, 10], "auc": 0.7, "gain": gain, "gradients_gain": OPEN}
    text = said({"hidden_state": state})
    assert f"alone, on the 40 prompts where it is kept, the AUC is 0.700: the forecast is {word} (difference " in text
    assert "and with gradients not shown to be better (difference " in text
    assert "hidden state" not in said({"hidden_state": {"why_not": "the initial probe keeps none"}})


@pytest.mark.parametrize(("gain", "add"), [(BETTER, True), (OPEN, False)])
def test_gradients_add_only_where_the_whole_interval_says_so(gain, add):
    compared = {"prompts": 40, "with": {"auc": 0.8}, "without": {"auc": 0.7}, "gain": gain, "add": add}
    text = said({"gradients": compared})
    assert ("Gradients add to it: on the 40 prompts that have one the AUC is 0.800 with them" in text) == add
    assert ("Gradients add nothing to it that these prompts show" in text) == (not add)
    left_out = said({"gradients": {"why_not": "too few"}})
    assert "Gradients are not used: too few." in left_out and "Gradients add" not in left_out
    assert beside({}) == ("", {})
