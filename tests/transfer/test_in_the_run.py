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


def said(add: float, rate: float, seed: int = 0) -> str:
    """The sentence where what is learned depends on the prediction and on the pass rate by so much."""
    rng = np.random.default_rng(seed)
    predicted, before, noise = rng.standard_normal((3, 80))
    return " ".join(sentences(in_the_run(predicted, before, add * predicted + rate * before + noise)))


def test_what_adds_to_the_pass_rate_is_said():
    assert "beyond what the pass rate tells" in said(3, 0)


def test_noise_is_no_prediction_and_the_pass_rate_is_its_own():
    assert "is not shown to be predicted" in said(0, 0)
    assert "was predicted, not shown beyond the pass rate" in said(2, 3)
    rng, told = np.random.default_rng(1), 0
    for _ in range(40):
        found = in_the_run(*rng.standard_normal((3, 40)))
        told += found.predicted[1] > 0
    assert told <= 4


def test_a_prediction_as_good_as_the_pass_rate_is_hardly_ever_said_to_go_beyond():
    rng, told = np.random.default_rng(2), 0
    for _ in range(60):
        predicted, before, noise = rng.standard_normal((3, 60))
        found = in_the_run(predicted, before, predicted + before + noise)
        told += "beyond what the pass rate tells" in sentences(found)[0]
    assert told <= 5


def test_few_prompts_or_equal_ones_tell_nothing():
    assert sentences(in_the_run(*np.random.default_rng(0).standard_normal((3, 19)))) == []
    assert in_the_run(np.arange(30.0), np.arange(30.0), np.zeros(30)) is None
