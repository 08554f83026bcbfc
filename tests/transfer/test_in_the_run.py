import numpy as np

from openrlhf_unlearn.transfer.in_the_run import in_the_run, predicted_change, sentences


def test_the_prediction_leaves_a_prompts_own_gradient_out():
    rng = np.random.default_rng(0)
    train, feel, weight = (
        rng.standard_normal((2, 6, 4)).astype(np.float32)[0],
        rng.standard_normal((6, 4)),
        np.arange(6),
    )
    expected = [weight[q] * sum(train[p] @ feel[q] for p in range(6) if p != q) for q in range(6)]
    assert np.allclose(predicted_change(train, feel, weight), expected, atol=1e-4)


KINDS = np.array([f"k{i % 10}" for i in range(80)])


def said(add: float, rate: float, seed: int = 0) -> str:
    """The sentence where what is learned depends on the prediction and on the pass rate by so much."""
    rng = np.random.default_rng(seed)
    predicted, before, noise = rng.standard_normal((3, 80))
    return " ".join(sentences(in_the_run(predicted, before, add * predicted + rate * before + noise, KINDS)))


def test_a_prediction_is_said_without_a_claim_over_the_pass_rate():
    assert said(3, 0).startswith("Whom the run taught was predicted: rank correlation 0.")
    assert "80 hard, probed prompts of 10 clusters" in said(3, 0) and "beyond" not in said(3, 0)


def test_noise_is_no_prediction():
    assert "is not shown to be predicted" in said(0, 0)


def test_prompts_that_share_clusters_are_no_independent_points():
    rng, told = np.random.default_rng(1), 0
    for _ in range(150):
        own = rng.standard_normal((3, 10))[:, np.arange(80) % 10] + 0.5 * rng.standard_normal((3, 80))
        told += in_the_run(*own, KINDS).predicted[1] > 0
    assert told <= 13  # 2.5 % wanted; over prompts it were a third


def test_few_prompts_or_clusters_or_equal_ones_tell_nothing():
    rng = np.random.default_rng(0)
    assert sentences(in_the_run(*rng.standard_normal((3, 19)), KINDS[:19])) == []
    assert in_the_run(*rng.standard_normal((3, 80)), np.array([f"k{i % 7}" for i in range(80)])) is None
    assert in_the_run(*rng.standard_normal((3, 80)), np.where(KINDS < "k3", "", KINDS)) is None
    assert in_the_run(np.arange(80.0), np.arange(80.0), np.zeros(80), KINDS) is None
