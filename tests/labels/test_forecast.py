"""The forecast finds what is there to find, says how good it is, and claims nothing where nothing is."""

import numpy as np
import pyarrow as pa
import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.labels.features import answer_entropy
from openrlhf_unlearn.labels.forecast import (
    _beside,
    compare_gradients,
    compare_hidden_state,
    cross_validated,
    model,
    out_of_fold,
    skipping,
    unseen_area,
    unseen_gain,
)
from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.store import Parts, merge
from openrlhf_unlearn.stats.auc import auc
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import read_json, read_table, write_json, write_table
from tests.labels.runs import ids, make_run
from tests.tables import of_dicts


@pytest.fixture
def run(tmp_path):
    """120 hard prompts: those with more initial positives were learned more often."""
    rng = np.random.default_rng(0)
    initial = np.concatenate([rng.integers(0, 3, 120), np.full(10, 20)])
    learned = rng.random(130) < np.array([0.15, 0.5, 0.85] + [1] * 18)[initial]
    made = make_run(tmp_path / "run", initial, np.where(learned, 25, 1), [1] * 130)
    assert cli.main(["classify", str(made)]) == 0
    return made


def test_a_run_forecasts_itself_out_of_fold(run, capsys):
    assert cli.main(["forecast", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "cross-validated AUC" in printed and "calibration" in printed and "skipping" in printed
    quality = read_json(run.summary)["forecast"]
    assert 0.65 < quality["auc"] < 0.95 and quality["brier"] < quality["brier_of_the_share_alone"]
    assert quality["calibration_error"] < 0.15
    low, high = quality["auc_interval"]
    assert low < quality["auc"] < high
    table = read_table(run.path / "forecast.parquet")
    assert table.num_rows == 120 and "classify" in read_json(run.summary)


def test_a_new_run_is_forecast_from_its_initial_evaluation(run, tmp_path, capsys):
    new = make_run(tmp_path / "new", [0, 0, 2, 2, 25], [0] * 5)
    assert cli.main(["forecast", str(run), "--to", str(new)]) == 0
    assert "AUC" in capsys.readouterr().out
    risk = {row["prompt_id"]: row["risk"] for row in read_table(new.path / "forecast.parquet").to_pylist()}
    assert set(risk) == set(ids(5)[:4])  # the easy one has no risk to tell
    assert risk[ids(5)[0]] > 0.6 > 0.4 > risk[ids(5)[2]]


def probed(run, cosine: dict[str, float], **settings) -> None:
    """An initial probe with these mean cosines; by default its prompts were drawn whatever their labels."""
    table = {"prompt_id": list(cosine), "n_correct": [9] * len(cosine), "mean_cosine": list(cosine.values())}
    write_table(run.probe_table("similarity", "initial"), pa.table(table))
    write_json(run.probe_json("initial"), {"settings": {"per_group": None, "prompts": 400, **settings}})


def groups_of(run) -> dict[str, str]:
    return {row["prompt_id"]: row["group"] for row in read_table(run.learnability).to_pylist()}


def test_gradients_that_tell_are_said_to_add(run, tmp_path, capsys):
    group = groups_of(run)
    probed(run, {name: 0.1 if label == "unlearnable" else 0.4 for name, label in group.items()})
    assert cli.main(["forecast", str(run)]) == 0
    assert "gradients add to the forecast" in capsys.readouterr().out
    found = read_json(run.summary)["forecast"]["gradients"]
    assert found["with"]["auc"] > 0.99 and found["add"]
    assert read_table(run.path / "forecast.parquet").column("risk_with_gradients").null_count == 0
    new = make_run(tmp_path / "new", [0, 0, 2], [0] * 3)
    assert cli.main(["forecast", str(run), "--to", str(new)]) == 0
    assert read_table(new.path / "forecast.parquet").column("risk_with_gradients").null_count == 3, "it has no probe"


def test_gradients_of_noise_are_said_to_add_nothing(run, capsys):
    rng = np.random.default_rng(0)
    probed(run, {name: rng.normal() for name in groups_of(run)})
    assert cli.main(["forecast", str(run)]) == 0
    assert "gradients add nothing to the forecast that these prompts show" in capsys.readouterr().out


def kept(run, names: list[str], *states: np.ndarray) -> None:
    """Gradients of one number each, with these hidden states, (prompts, hidden), or none."""
    one, none = np.ones((len(names), 1), np.float32), np.zeros((len(names), 1))
    counts = np.ones((len(names), 1), np.int32)
    gradients = Gradients(names, one, counts, none, none, one[:, None], counts[:, 0], *states)
    parts = Parts(run, "initial", {})
    parts.write(0, {"correct": gradients}, {})
    merge([parts.path(0)], run.gradients("initial"), {})


@pytest.mark.parametrize("tells", ["gradients", "the state", "nothing"])
def test_a_hidden_state_is_held_against_the_forecast(run, capsys, tells):
    group, rng = groups_of(run), np.random.default_rng(0)
    sign = {name: float(label == "unlearnable") for name, label in group.items()}
    probed(run, {name: sign[name] * (tells == "gradients") + rng.normal(0, 0.1) for name in group})
    names = list(reversed(group))
    told = np.array([sign[name] * (tells == "the state") for name in names])
    kept(run, names, (told[:, None] + rng.normal(0, 0.1, (len(names), 64))).astype(np.float32))
    assert cli.main(["forecast", str(run)]) == 0
    found = read_json(run.summary)["forecast"]["hidden_state"]
    line = next(line for line in capsys.readouterr().out.splitlines() if "hidden state of the prompt" in line)
    assert "on the 120 prompts that have one" in line and sum(found["prompts"]) == 120
    assert found["auc"] > 0.99 if tells == "the state" else found["low"] < 0.5 < found["high"]
    assert ("the forecast is worse than this alone" in line) == (tells == "the state")
    assert ("with gradients better than it" in line) == (tells != "the state")


def test_a_probe_that_kept_no_states_is_said_to(run, capsys):
    probed(run, dict.fromkeys(groups_of(run), 0.1))
    kept(run, list(groups_of(run)))
    assert cli.main(["forecast", str(run)]) == 0
    assert "hidden state of the prompt: not used, the initial probe keeps none" in capsys.readouterr().out


def test_no_forecast_of_noise_is_told_from_another_nor_from_chance():
    rng, told, holds = np.random.default_rng(4), [], []
    for _ in range(40):
        x, y, states = (rng.normal(size=(80, size)) for size in (7, 2, 64))
        labels = rng.random(80) < 0.5
        found = compare_hidden_state(x, y, states, labels, "")
        gains = [found["gain"], found["gradients_gain"], unseen_gain(*(out_of_fold(c, labels) for c in (x, x[:, :1])))]
        told.append([gain["high"] < 0 or gain["low"] > 0 for gain in gains])
        holds.append(found["low"] <= 0.5 <= found["high"])
    assert np.mean(told) <= 0.1 and np.mean(holds) >= 0.9


@pytest.mark.parametrize("settings", [{"per_group": 100}, {"per_group": 3}])
def test_who_was_probed_is_no_feature(run, capsys, settings):
    """A probe of some prompts of each label: who is in it knows the labels, so it is left out, and said."""
    group = groups_of(run)
    rng = np.random.default_rng(0)
    probed(run, {name: rng.normal() for name, label in group.items() if label == "unlearnable"}, **settings)
    assert cli.main(["forecast", str(run)]) == 0
    assert "gradients: not used, the initial probe's prompts were chosen by their labels" in capsys.readouterr().out
    leaky = read_json(run.summary)["forecast"]
    probed(run, {name: rng.normal() for name, label in group.items() if label == "unlearnable"})
    assert cli.main(["forecast", str(run)]) == 0
    assert "fewer than 10 probed prompts were learned, or were not" in capsys.readouterr().out
    assert read_json(run.summary)["forecast"]["auc"] == leaky["auc"], "a missing gradient is no feature"


def test_the_same_data_in_any_order_gives_the_same_numbers(run):
    found = []
    for seed in range(3):
        table = read_table(run.evaluation("initial"))
        write_table(run.evaluation("initial"), table.take(np.random.default_rng(seed).permutation(len(table))))
        assert cli.main(["forecast", str(run)]) == 0
        found.append(read_json(run.summary)["forecast"])
    assert found[0] == found[1] == found[2]


def test_noise_adds_nothing_at_the_stated_rate():
    """Random labels with two columns of noise: neither the baselines nor the gradients are often said to be beaten."""
    rng, adds, area = np.random.default_rng(2), [], []
    for _ in range(20):
        x, y, labels = rng.normal(size=(80, 7)), rng.normal(size=(80, 2)), rng.random(80) < 0.5
        _, quality = cross_validated(x, labels)
        adds.append(compare_gradients(x, y, labels, "")[0]["add"])
        area.append(quality["auc_interval"][0] <= 0.5)
    assert np.mean(adds) <= 0.1 and np.mean(area) >= 0.9


@pytest.mark.parametrize("tells", [0, 1, 2.5])
def test_the_interval_holds_the_area_on_new_prompts(tells):
    """That of a model which is learned from as many prompts as one of the folds'; 0: nothing is to be told."""
    rng, areas, true = np.random.default_rng(1), [], []

    def draw(n: int):
        labels = rng.random(n) < 0.5
        return rng.normal(size=(n, 7)) + tells * labels[:, None] * (np.arange(7) == 0), labels

    new, happened = draw(2000)
    for _ in range(60):
        x, labels = draw(60)
        areas.append(unseen_area(out_of_fold(x, labels)))
        risk = model().fit(x[:48], labels[:48]).predict_proba(new)[:, 1]
        true.append(auc(risk[~happened], risk[happened]))
    truth = np.mean(true)
    assert abs(np.mean([found["auc"] for found in areas]) - truth) <= 0.03
    assert np.mean([found["low"] <= truth <= found["high"] for found in areas]) >= 0.90


def test_noise_does_not_improve_on_equal_values():
    """A feature of three values, as a pass rate of few positives: compared between folds, noise would look useful."""
    rng, adds, gains = np.random.default_rng(3), [], []
    for _ in range(20):
        x = rng.integers(0, 3, (100, 1)).astype(float)
        labels = rng.random(100) < np.array([0.85, 0.5, 0.15])[x[:, 0].astype(int)]
        found = compare_gradients(x, rng.normal(size=(100, 2)), labels, "")[0]
        adds.append(found["add"])
        gains.append(found["gain"]["difference"])
    assert np.mean(adds) <= 0.1 and abs(np.mean(gains)) <= 0.03


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 0.3, "better than"), (-0.3, -0.1, "worse than"), (-0.1, 0.1, "not shown to be better than")],
)
def test_a_simpler_forecast_is_beaten_only_where_the_whole_interval_says_so(low, high, word):
    row = {"name": "initial pass rate", "auc": 0.6, "gain": {"difference": (low + high) / 2, "low": low, "high": high}}
    none = {"why_not": "none"}
    quality = {"baselines": [row], "gradients": none, "hidden_state": none, "features": ["answer entropy"]}
    assert f"the forecast is {word} this alone" in _beside(quality)[1]


def test_what_is_left_out_is_said(run, capsys):
    table = read_table(run.evaluation("initial"))
    blank = pa.nulls(len(table), pa.string())
    column = table.schema.get_field_index("response")
    write_table(run.evaluation("initial"), table.set_column(column, "response", blank))
    assert cli.main(["forecast", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "answer entropy: left out, the evaluation saved no responses" in printed
    assert "hidden state of the prompt: not used, there is no initial probe" in printed
    assert "initial pass rate: AUC" in printed and "log odds of it with response length: AUC" in printed


def test_entropy_of_answers(tmp_path):
    run = make_run(tmp_path / "run", [0, 0], [0, 0], n=4)
    rows = read_table(run.evaluation("initial")).to_pylist()
    for row, text in zip(rows, [r"\boxed{1}"] * 4 + [r"\boxed{1}", r"\boxed{2}"] * 2, strict=True):
        row["response"] = text
    of_dicts(Evaluations, rows).write(run, "initial")
    found = answer_entropy(run.evaluation("initial"), set(ids(2)))
    assert found == {ids(2)[0]: 0.0, ids(2)[1]: pytest.approx(np.log(2))}


def test_noise_is_worth_nothing():
    rng = np.random.default_rng(1)
    _, quality = cross_validated(rng.normal(size=(300, 4)), rng.random(300) < 0.5)
    assert 0.4 < quality["auc"] < 0.6
    assert quality["brier"] > quality["brier_of_the_share_alone"] - 0.01


def test_what_skipping_costs():
    risk, labels = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    half = skipping(risk, labels)[-1]
    assert (half["prompts"], half["learnable_lost"], half["share_of_learnable_lost"]) == (2, 1, 0.5)


def test_too_few_labels_are_refused(tmp_path, capsys):
    run = make_run(tmp_path / "run", [1] * 12, [0] * 6 + [30] * 6)
    assert cli.main(["forecast", str(run)]) == 1
    assert "openrlhf-unlearn classify" in capsys.readouterr().err
    assert cli.main(["classify", str(run)]) == 0
    assert cli.main(["forecast", str(run)]) == 1
    assert "needs at least 10 of each" in capsys.readouterr().err
