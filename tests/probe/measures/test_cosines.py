import numpy as np
import pytest

from openrlhf_unlearn.probe import similarity
from openrlhf_unlearn.probe.measures.interference import within
from openrlhf_unlearn.probe.measures.neighbours import neighbours
from openrlhf_unlearn.probe.measures.pooled import Pooled
from openrlhf_unlearn.probe.measures.separation import equal_numbers, separation
from openrlhf_unlearn.probe.measures.spectrum import captured, spectra
from tests.probe.measures.simulation import alike, drawn, gathered, simulated

DIM = 600
SPREADS = {  # where a rollout's noise lies
    "everywhere": lambda rng: np.ones(DIM),
    "150 dimensions": lambda rng: rng.permutation(np.arange(DIM) < 150) * 1.0,
    "few strong ones": lambda rng: rng.permutation(1 / np.arange(1, DIM + 1) ** 0.5),
}


def repeated(n: int, cosine: float, times: int, **settings):
    """(estimates, covered, plain) over simulations of a pair; estimates only where there was enough to say."""
    rng, estimates, covered, plain = np.random.default_rng(n), [], [], []
    spread = settings.pop("spread", SPREADS["everywhere"])
    for _ in range(times):
        found = similarity(simulated(rng, alike(2, DIM, cosine), [n, n], spread=spread(rng), **settings))
        plain.append(found.plain[0, 0])
        if found.enough.all():
            estimates.append(found.corrected[0, 0])
            covered.append(found.low[0, 0] <= cosine <= found.high[0, 0])
    return np.array(estimates), np.array(covered), np.array(plain)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("n", [10, 20, 50])
def test_bias_and_coverage(spread, n):
    estimates, covered, plain = repeated(n, 0.5, 400, spread=SPREADS[spread])
    assert len(estimates) > 200
    assert abs(estimates.mean() - 0.5) <= 0.03
    assert covered.mean() >= 0.92
    assert plain.mean() < 0.46  # what the correction is for


@pytest.mark.parametrize("cosine", [0.0, 0.9])
def test_at_the_ends_of_the_scale(cosine):
    estimates, covered, _ = repeated(15, cosine, 150)
    assert abs(estimates.mean() - cosine) <= 0.03
    assert covered.mean() >= 0.91


def test_plain_cosine_shrinks_as_the_design_says():
    for n, expected in ((2, 0.09), (5, 0.16), (20, 0.33), (100, 0.45)):
        assert abs(repeated(n, 0.5, 40)[2].mean() - expected) < 0.03


def test_sketched_units_only_widen_the_interval():
    exact, _, _ = repeated(20, 0.5, 60)
    sketched, covered, _ = repeated(20, 0.5, 60, sketch=100)
    assert np.allclose(exact.mean(), sketched.mean(), atol=0.02)
    assert covered.mean() >= 0.9


def test_many_rollouts_in_few_units():
    estimates, covered, _ = repeated(60, 0.5, 200, units=8)
    assert abs(estimates.mean() - 0.5) <= 0.03
    assert covered.mean() >= 0.90


def test_too_few_rollouts_are_said_to_be_too_few():
    rng = np.random.default_rng(0)
    found = similarity(simulated(rng, alike(4, DIM, 0.5), [1, 2, 3, 40]))
    assert found.enough.tolist()[:2] == [False, False]
    assert found.enough[3]
    assert np.isnan(found.corrected[:2, 0]).all()
    assert np.isfinite(found.plain).all()


def test_plain_and_corrected_means_are_over_the_same_others():
    """Half of the others have one rollout, and are unlike the first prompt: they count all the same."""
    rng, found = np.random.default_rng(12), []
    means = np.concatenate([alike(20, DIM, 0.6), alike(20, DIM, 0.0, start=20)])
    truth = np.array([np.delete(means @ means[p], p).mean() for p in range(40)])
    for _ in range(10):
        gradients = simulated(rng, means, [30] * 20 + [1] * 20)
        found.append(similarity(gradients, ["a"] * 20 + ["b"] * 20).corrected[:20, 0])
    assert abs(np.mean(found) - truth[:20].mean()) <= 0.03
    assert truth[:20].mean() < 0.35 < 0.6, "over those with enough rollouts alone it would be 0.6"


def few_texts(rng, prompts: int = 21, texts: int = 8) -> np.ndarray:
    """(prompts, texts, DIM) gradients of norm 1: each with its own part of what all share, the rest its own."""
    shared = rng.uniform(0.3, 0.9, (prompts, texts))
    own = rng.standard_normal((prompts, texts, DIM))
    own[..., 0] = 0
    own *= (np.sqrt(1 - shared**2) / np.linalg.norm(own, axis=2))[..., None]
    own[..., 0] = shared
    return own


@pytest.mark.parametrize(("n", "main"), [(3, 0.95), (10, 0.9), (30, 0.95)])
def test_identical_rollouts_are_draws_too(n, main):
    rng, covered, words = np.random.default_rng(n), [], []
    shares = np.array([main, *[(1 - main) / 7] * 7])
    for _ in range(60):
        texts = few_texts(rng)
        found = similarity(drawn(rng, texts, shares, [n] + [30] * 20))
        means = np.einsum("k,pkd->pd", shares, texts)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        truth = (means[1:] @ means[0]).mean()
        if found.enough[0]:
            covered.append(found.low[0, 0] <= truth <= found.high[0, 0])
            words.append(found.words[0])
    assert {"identical rollouts"} <= set(words) <= {"identical rollouts", "ok"}
    assert len(covered) > 40
    assert np.mean(covered) >= 0.92


def test_the_fewer_identical_rollouts_the_wider_the_interval():
    rng = np.random.default_rng(0)
    texts, widths = few_texts(rng, 3), []
    for n in (3, 10, 60):
        found = similarity(drawn(rng, texts, np.eye(8)[0], [n] * 3))
        assert found.words.tolist() == ["identical rollouts"] * 3
        assert np.allclose(found.corrected, found.plain)
        widths.append((found.high - found.low)[:, 0])
    assert (widths[0] > widths[1]).all()
    assert (widths[1] > widths[2]).all()
    assert widths[2].min() > 0


def test_equals_the_matrix_of_all_pairs():
    gradients = simulated(np.random.default_rng(1), alike(12, DIM, 0.4), [5] * 12)
    groups = ["a"] * 5 + ["b"] * 6 + [""]
    found = similarity(gradients, groups)
    unit = gradients.mean / np.linalg.norm(gradients.mean, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, np.nan)
    assert np.allclose(found.plain[:, 0], np.nanmean(cosines, 1), atol=1e-6)
    assert np.allclose(found.plain[:, 1], np.nanmean(cosines[:, :5], 1), atol=1e-6)
    assert np.allclose(found.plain[:, 2], np.nanmean(cosines[:, 5:11], 1), atol=1e-6)
    nearest, farthest = neighbours(gradients, 3)
    for row in range(12):
        order = [i for i in np.argsort(-np.nan_to_num(cosines[row], nan=-9)) if i != row]
        assert [i for i, _ in nearest[row]] == order[:3]
        assert [i for i, _ in farthest[row]] == order[::-1][:3]


def two_groups(rng, n_low: int = 3, n_high: int = 3, sizes=(40, 40)):
    """Learnable prompts with cosine 0.6 among each other, unlearnable 0.1; few rollouts of the latter."""
    means = np.concatenate([alike(sizes[0], DIM, 0.6), alike(sizes[1], DIM, 0.1, start=sizes[0])])
    groups = ["learnable"] * sizes[0] + ["unlearnable"] * sizes[1]
    return simulated(rng, means, [n_high] * sizes[0] + [n_low] * sizes[1]), groups


def test_pooled_groups_know_what_single_prompts_cannot():
    within = {(name, name): cosine for name, cosine in (("learnable", 0.6), ("unlearnable", 0.1))}
    truth = {**within, ("learnable", "unlearnable"): 0.06**0.5}
    rng, covered, values = np.random.default_rng(11), {key: [] for key in truth}, {key: [] for key in truth}
    for _ in range(200):
        gradients, groups = two_groups(rng)
        for row in Pooled(gradients, groups).matrix:
            key = row["a"], row["b"]
            values[key].append(row["corrected"])
            covered[key].append(row["low"] <= truth[key] <= row["high"])
    for key, expected in truth.items():
        assert abs(np.mean(values[key]) - expected) <= 0.03
        assert np.mean(covered[key]) >= 0.90


def test_pooled_to_all_others():
    expected = {"learnable": (39 * 0.6 + 40 * 0.06**0.5) / 79, "unlearnable": (40 * 0.06**0.5 + 39 * 0.1) / 79}
    rng, covered, bias = np.random.default_rng(3), {name: [] for name in expected}, {name: [] for name in expected}
    for _ in range(200):
        found = Pooled(*two_groups(rng, 3, 20)).to_all
        for name, value in expected.items():
            covered[name].append(found[name]["low"] <= value <= found[name]["high"])
            bias[name].append(found[name]["corrected"] - value)
    assert min(map(np.mean, covered.values())) >= 0.90
    assert max(abs(np.mean(values)) for values in bias.values()) <= 0.03


def test_pooled_says_nothing_of_single_rollouts():
    gradients, groups = two_groups(np.random.default_rng(4), n_low=1)
    rows = {(row["a"], row["b"]): row for row in Pooled(gradients, groups).matrix}
    assert rows["learnable", "learnable"]["corrected"] is not None
    assert rows["learnable", "unlearnable"]["corrected"] is None


def test_sample_size_alone_separates_by_plain_cosine_but_not_at_equal_numbers():
    rng = np.random.default_rng(5)
    gradients = simulated(rng, alike(80, DIM, 0.5), [4] * 40 + [24] * 40)
    groups = ["unlearnable"] * 40 + ["learnable"] * 40
    found = separation(gradients, similarity(gradients, groups), groups)
    assert found["plain"]["auc"] > 0.95
    equal = {entry["rollouts"]: entry for entry in found["equal"]}
    assert set(equal) == {1, 2, 4}
    assert all(entry["low"] <= 0.5 for entry in equal.values()), "the same true cosines are not told apart"


def test_equal_numbers_takes_every_prompt_with_so_many():
    """Also those whose lots of rollouts add up to no such number: 30 in lots of 3, 50 of 5, 100 of 10."""
    numbers = [1, 5, 30, 50, 60, 100]
    gradients = simulated(np.random.default_rng(6), alike(6, DIM, 0.5), numbers, units=10)
    for k in (1, 4, 5, 32):
        values = equal_numbers(gradients.counts, gradients.sketches, k, np.random.default_rng(0))
        assert np.isfinite(values).tolist() == [n >= k for n in numbers]


@pytest.mark.parametrize("k", [2, 8])
def test_equal_numbers_has_the_cosine_of_so_many(k):
    """Of 30 and 50 rollouts, what a mean of k has."""
    many = simulated(np.random.default_rng(6), alike(60, DIM, 0.5), [30, 50] * 30, units=10)
    few = simulated(np.random.default_rng(7), alike(60, DIM, 0.5), [k] * 60)
    found = equal_numbers(many.counts, many.sketches, k, np.random.default_rng(0))
    expected = similarity(few).plain[:, 0]
    assert abs(found.mean() - expected.mean()) < 0.015
    assert abs(found[::2].mean() - found[1::2].mean()) < 0.015


def test_outliers_miss_the_subspace_of_the_others():
    rng = np.random.default_rng(7)
    basis = np.linalg.qr(rng.standard_normal((DIM, 5)))[0].T
    inside = rng.standard_normal((60, 5)) @ basis
    outside = rng.standard_normal((20, DIM))
    means = np.concatenate([inside, outside])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    groups = ["easy"] * 30 + ["learnable"] * 30 + ["unlearnable"] * 20
    gradients = simulated(rng, means, [8] * 80, noise=2.0)
    found = captured(gradients, groups)
    assert found["easy"]["share"] > 0.8
    assert found["unlearnable"]["high"] < 0.2
    ranks = {name: row["effective_rank"] for name, row in spectra(gradients, groups).items()}
    assert ranks["unlearnable"] > ranks["easy"]


@pytest.mark.parametrize("n", [3, 10])
def test_captured_share_of_known_size(n):
    """Three tenths of the unlearnable ones' squared length lie in the others' five directions."""
    values, held = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        basis = np.linalg.qr(rng.standard_normal((300, 5)))[0].T
        inside, outside = rng.standard_normal((80, 5)) @ basis, rng.standard_normal((20, 300))
        outside -= outside @ basis.T @ basis
        inside, outside = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (inside, outside))
        share = rng.beta(3, 7, 20)[:, None]
        odd = np.sqrt(share) * inside[60:] + np.sqrt(1 - share) * outside
        gradients = simulated(rng, np.concatenate([inside[:60], odd]), [n] * 80, noise=5.0)
        found = captured(gradients, ["easy"] * 30 + ["learnable"] * 30 + ["unlearnable"] * 20)["unlearnable"]
        values.append(found["share"])
        held.append(found["low"] <= 0.3 <= found["high"])
    assert abs(np.mean(values) - 0.3) <= 0.03
    assert np.mean(held) >= 0.90


def test_within_a_prompt_of_identical_rollouts():
    rng = np.random.default_rng(9)
    correct, incorrect = (drawn(rng, few_texts(rng, 3), np.eye(8)[0], [6] * 3) for _ in range(2))
    value, low, high = within(correct, incorrect)
    assert ((low < value) & (value < high)).all()


def of_one_direction(rng, cosine: float, n: int, noise: float, tail: str):
    """300 prompts, each with n rollouts about one direction, which has this cosine with coordinate 0."""
    mean = np.zeros(DIM)
    mean[0], mean[1] = cosine, np.sqrt(1 - cosine**2)
    loud = np.exp(rng.normal(0, 0.8, (300, n, 1)) - 0.64) if tail == "heavy" else 1
    return gathered(mean + rng.standard_normal((300, n, DIM), np.float32) * loud * np.sqrt(noise / DIM), [n] * 300, 16)


@pytest.mark.parametrize("tail", ["normal", "heavy"])
@pytest.mark.parametrize("noise", [2.0, 9.0])
@pytest.mark.parametrize("n", [(3, 29), (5, 5), (5, 27), (12, 15)])
@pytest.mark.parametrize("cosine", [-0.7, 0.0, 0.9])
def test_within_a_prompt_correct_against_incorrect(cosine, n, noise, tail):
    rng = np.random.default_rng(8)
    values, low, high = within(*(of_one_direction(rng, c, m, noise, tail) for c, m in zip((1, cosine), n, strict=True)))
    known = np.isfinite(values)
    assert known.mean() > 0.6
    assert (low[known] < high[known]).all(), "a prompt with too few rollouts does not take the others' intervals"
    assert np.mean((low <= cosine) & (cosine <= high), where=known) >= 0.90
    if min(n) >= 5:
        assert abs(values[known].mean() - cosine) <= 0.03
