import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.transfer.predict import LEAST, Map, transfer_map
from openrlhf_unlearn.transfer.words import map_sentences


def noisy(rng, kinds: np.ndarray, sizes: list[int], noise: float):
    """(prompts, dim) gradients: a prompt's is its kind's row of `kinds` and noise."""
    clusters = [str(kind) for kind, size in enumerate(sizes) for _ in range(size)]
    own = kinds[[int(name) for name in clusters]]
    return (own + noise * rng.standard_normal(own.shape)).astype(np.float32), clusters


@given(st.integers(0, 10_000), st.lists(st.integers(1, 7), min_size=1, max_size=4), st.booleans())
def test_entries_are_means_over_pairs_of_different_prompts(seed, sizes, same):
    rng = np.random.default_rng(seed)
    feel, clusters = noisy(rng, rng.standard_normal((len(sizes), 5)), sizes, 1.0)
    train = feel if same else rng.standard_normal(feel.shape).astype(np.float32)
    found, mine = transfer_map(train, feel, clusters), np.array(clusters)
    assert found.names == [str(i) for i, size in enumerate(sizes) if size >= LEAST]
    for i, a in enumerate(found.names):
        for j, b in enumerate(found.names):
            rows, columns = np.flatnonzero(mine == a), np.flatnonzero(mine == b)
            pairs = [float(train[p] @ feel[q]) for p in rows for q in columns if p != q]
            assert found.value[i, j] == pytest.approx(np.mean(pairs), rel=1e-3, abs=1e-4)


def test_intervals_hold_the_truth():
    rng, kinds, held = np.random.default_rng(0), np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0]]), []
    for _ in range(300):
        gradients, clusters = noisy(rng, kinds, [9, 12], 0.8)
        found, truth = transfer_map(gradients, gradients, clusters), kinds @ kinds.T
        held.append((found.low <= truth) & (truth <= found.high))
    assert np.mean(held, axis=0).min() > 0.9


def test_gradients_of_nothing_but_noise_predict_nothing():
    rng, told = np.random.default_rng(1), []
    for _ in range(60):
        gradients, clusters = noisy(rng, np.zeros((4, 30)), [8] * 4, 1.0)
        told.append(transfer_map(gradients, gradients, clusters).told.any())
    assert np.mean(told) < 0.12
    found = transfer_map(gradients, gradients, clusters)
    assert map_sentences(found) == [
        "None of the map's 16 entries differs significantly from 0: alone it gives no reason to choose any data."
    ]


def test_orthogonal_clusters_stay_untold_through_a_sketch():
    rng, dim, size, told = np.random.default_rng(0), 20_000, 256, []
    for _ in range(6):
        kinds = np.linalg.qr(rng.standard_normal((dim, 6)))[0].T
        gradients, clusters = noisy(rng, kinds, [30] * 6, 0.001)
        place, sign = rng.integers(0, size, dim), rng.choice([-1, 1], dim)
        sketches = np.stack([np.bincount(place, row * sign, size) for row in gradients]).astype(np.float32)
        off = ~np.eye(6, dtype=bool)
        told.append([transfer_map(sketches, sketches, clusters, sketch=s).told[off].mean() for s in (size, 0)])
        assert transfer_map(sketches, sketches, clusters, sketch=size).told.diagonal().all()
    assert np.mean(told, axis=0)[0] < 0.06 < 0.5 < np.mean(told, axis=0)[1]


def test_blocks_and_a_scale_change_no_number(monkeypatch):
    rng = np.random.default_rng(0)
    feel, clusters = noisy(rng, rng.standard_normal((3, 5)), [5, 6, 7], 1.0)
    train, scale = rng.standard_normal(feel.shape).astype(np.float32), rng.random(18)
    whole = transfer_map(train, feel * scale[:, None].astype(np.float32), clusters)
    monkeypatch.setattr("openrlhf_unlearn.probe.measures.between_rollouts.BLOCK_BYTES", 80)
    found = transfer_map(train, feel, clusters, scale)
    assert np.allclose(found.value, whole.value, rtol=1e-4) and np.allclose(found.p, whole.p, rtol=1e-3)


def test_says_who_teaches_whom_and_who_harms():
    kinds = np.array([[3.0, 0, 0], [2.0, 0, 1], [-2.0, 0, 2], [0, 0, 0]])
    gradients, clusters = noisy(np.random.default_rng(2), kinds, [20] * 4, 0.5)
    said = " ".join(map_sentences(transfer_map(gradients, gradients, clusters)))
    assert "3 of 4 clusters are predicted to teach their own other prompts: 0, 1, 2." in said
    assert "Predicted to teach others: 0 ↔ 1." in said
    assert "Predicted to harm others: 0 ↔ 2, 1 ↔ 2." in said


def test_what_is_not_told_of_a_cluster_itself_is_not_said_to_be_nothing():
    nothing, p = np.zeros((2, 2)), np.array([[0.9, 0.001], [0.001, np.nan]])
    found = Map(["a", "b"], np.array([4, 4]), np.array([[0.1, 2], [2, 0]]), nothing, nothing, p)
    assert map_sentences(found) == [
        "2 of 2 clusters have no significant effect, either way, on their own other prompts: a, b.",
        "Predicted to teach others: a ↔ b.",
    ]
    harm = Map(["a", "b"], found.sizes, np.array([[-1.0, 2], [2, 0]]), nothing, nothing, np.where(p > 0.5, 0.001, p))
    assert map_sentences(harm)[:2] == [
        "1 of 2 clusters are predicted to harm their own other prompts: a.",
        "1 of 2 clusters have no significant effect, either way, on their own other prompts: b.",
    ]


def test_few_prompts_are_no_cluster_and_equal_ones_no_certainty():
    assert map_sentences(transfer_map(np.ones((3, 2)), np.ones((3, 2)), ["a"] * 3))[0].startswith("No cluster has 4")
    found = transfer_map(np.ones((5, 2)), np.ones((5, 2)), ["a"] * 5)
    assert found.value[0, 0] == 2 and np.isnan(found.low[0, 0]) and not found.told.any()
