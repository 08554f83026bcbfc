import numpy as np

from openrlhf_unlearn.store.probes import TransferMap
from openrlhf_unlearn.transfer.accuracy import advantage, correlations, with_interval
from openrlhf_unlearn.transfer.words import check_sentences, sign_sentence

N = 10  # clusters
ROWS = np.arange(N)


def said(predicted, measured, baselines=None) -> str:
    gaps = {name: advantage(predicted, other, measured, ROWS) for name, other in (baselines or {}).items()}
    return " ".join(check_sentences(correlations(predicted, measured, ROWS), gaps, len(ROWS)))


def test_what_holds_is_said_with_its_interval_and_against_each_baseline():
    rng = np.random.default_rng(0)
    measured = rng.standard_normal((N, N)) + 2 * np.eye(N)
    predicted = 3 * measured + 0.3 * rng.standard_normal((N, N))
    found = correlations(predicted, measured, ROWS)
    assert found["all"]["low"] > 0.9 and found["between"]["low"] > 0.8
    assert found["all"]["high"] <= 1 and found["between"]["high"] <= 1
    assert 0.3 < found["slope"]["low"] < 1 / 3 < found["slope"]["high"] + 0.02
    text = said(predicted, measured, {"text": rng.standard_normal((N, N)), "itself": predicted + 1e-9})
    assert text.startswith("Short trainings bear the prediction out") and "between different clusters: r" in text
    assert "predicts better than: text." in text and "neither significantly better nor worse than: itself." in text


def test_a_prediction_of_noise_is_not_borne_out():
    rng, low = np.random.default_rng(1), []
    for _ in range(100):
        predicted, measured = rng.standard_normal((2, N, N))
        low.append(correlations(predicted, measured, ROWS)["all"]["low"] > 0)
    assert np.mean(low) < 0.1
    assert said(predicted, measured).startswith("The short trainings do not bear the prediction out")


def test_few_trained_clusters_give_wide_intervals_however_many_are_measured():
    rng = np.random.default_rng(4)
    predicted, measured = rng.standard_normal((2, 4, 12))
    found = with_interval(lambda r, c: float((predicted * measured)[np.ix_(r, c)].mean()), np.arange(4), 12)
    left = [(predicted * measured)[np.ix_(*keep)].mean() for keep in kept(4, 12)]
    error = np.sqrt(11 / 12 * ((np.array(left) - np.mean(left)) ** 2).sum())
    assert np.isclose((found["high"] - found["low"]) / 2, 3.1824 * error, rtol=1e-3)  # Student's t at 3 degrees


def kept(rows: int, columns: int) -> list[tuple[list[int], list[int]]]:
    without = lambda n, c: [i for i in range(n) if i != c]  # noqa: E731
    return [(without(rows, c), without(columns, c)) for c in range(columns)]


def test_the_diagonal_alone_is_no_transfer_between_clusters():
    rng = np.random.default_rng(2)
    measured, predicted = (5 * np.eye(N) + 0.1 * rng.standard_normal((N, N)) for _ in range(2))
    assert "Between different clusters alone they do not" in said(predicted, measured)


def test_few_clusters_or_equal_entries_tell_nothing():
    rng = np.random.default_rng(3)
    few = correlations(*rng.standard_normal((2, 2, N)), np.arange(2))
    assert few["all"]["low"] is None
    assert "too few clusters" in check_sentences(few, {}, 2)[0]
    assert "does not vary" in said(np.ones((N, N)), rng.standard_normal((N, N)))


def test_signs_are_counted_where_something_is_told_and_measured():
    row = TransferMap.Row(told=True, value=1.0, measured=-0.5)
    rows = [row, row._replace(measured=2.0), row._replace(told=False), row._replace(measured=None)]
    assert sign_sentence(rows) == ["Of 2 entries that differ from 0, 1 were measured with the predicted sign."]
    assert sign_sentence(rows[2:]) == []
