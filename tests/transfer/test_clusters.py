import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.transfer.clusters import by_gradients
from openrlhf_unlearn.transfer.predict import transfer_map


def gradients(kinds: np.ndarray, noise: float, units: int = 6) -> Gradients:
    rng, n = np.random.default_rng(0), len(kinds)
    sketches = kinds[:, None] + noise * rng.standard_normal((n, units, kinds.shape[1]))
    total = sketches.sum(1)
    norms2, dots = (sketches**2).sum(2), np.einsum("pud,pd->pu", sketches, total)
    counts = np.ones((n, units), np.int32)
    ids = [str(i) for i in range(n)]
    return Gradients(ids, total / units, counts, norms2, dots, sketches.astype(np.float32), counts.sum(1))


def test_kinds_are_found_again():
    kinds = np.repeat(np.eye(3, 40), 12, 0)
    names, _ = by_gradients(gradients(kinds, 0.1))
    assert len(set(names)) == 3
    assert all(len(set(names[start : start + 12])) == 1 for start in (0, 12, 24))


def test_clusters_of_noise_teach_nothing_by_the_other_half():
    found = gradients(np.zeros((60, 200)), 1.0)
    names, unseen = by_gradients(found)
    assert not transfer_map(unseen, unseen, names).told.any()


def test_directions_without_clusters_are_in_none():
    rng, found = np.random.default_rng(0), 0
    for seed in range(3):
        factor = rng.standard_normal((60, 1)) * np.eye(1, 200, 1)
        found += any(by_gradients(gradients(2 * np.eye(1, 200) + factor, 0.05), seed)[0])
        found += any(by_gradients(gradients(rng.standard_normal((60, 30)), 0.1), seed)[0])
    assert found <= 1


def test_identical_rollouts_are_in_none():
    found = gradients(np.repeat(np.eye(3, 40), 12, 0), 0.1)
    found.distinct[:12] = 1
    names, _ = by_gradients(found)
    assert set(names[:12]) == {""} and len(set(names[12:])) == 2


def test_prompts_with_one_rollout_are_in_none():
    names, _ = by_gradients(gradients(np.eye(20), 0.1, units=1))
    assert set(names) == {""}
