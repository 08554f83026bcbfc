"""The prediction is a derivative: for small steps of plain gradient descent, training must agree with it."""

import numpy as np
import torch

from openrlhf_unlearn.probe import Rollouts, full, prompt_gradients
from openrlhf_unlearn.transfer.accuracy import correlations
from openrlhf_unlearn.transfer.check import verify
from openrlhf_unlearn.transfer.vectors import Vectors, to_check
from openrlhf_unlearn.transfer.verify import Recipe, Trainer, held_out, split
from tests.probe.models import rollouts, tiny

CLUSTERS = {f"p{i}": f"k{i % 5}" for i in range(20)}


def sample() -> list[Rollouts]:
    made = {name: rollouts(seed, 3) for seed, name in enumerate(CLUSTERS)}
    return [Rollouts(name, prompt, {"correct": own, "measured": own}) for name, (prompt, own) in made.items()]


def test_small_steps_change_what_the_gradients_predict(tmp_path):
    model, made = tiny(dtype=torch.float64), sample()
    found = prompt_gradients(model, made, full(model, None))["correct"]
    vectors, texts = Vectors(found.ids, found.mean, found.mean, True), dict.fromkeys(found.ids, "x = ")
    model.set_attn_implementation("eager")
    recipe = Recipe(steps=1, batch=6, lr=1e-4, optimiser="sgd")
    checked = verify(model, made, texts, vectors, CLUSTERS, 0, recipe, 0, tmp_path / "parts")
    agreed = correlations(checked.predicted["gradient"], checked.measured, np.arange(5))
    assert agreed["all"]["value"] > 0.999
    assert abs(agreed["slope"]["value"] / recipe.lr - 1) < 0.02
    assert checked.names == sorted(set(CLUSTERS.values()))
    again = verify(model, made, texts, vectors, CLUSTERS, 0, recipe, 0, tmp_path / "parts")  # from its parts
    assert np.array_equal(again.measured, checked.measured)


def test_every_training_starts_from_the_same_weights_and_measures_other_prompts():
    model, made = tiny(dtype=torch.float64), sample()
    train, measured = split(CLUSTERS, 0)
    assert not set(sum(train.values(), [])) & set(sum(measured.values(), []))
    trainer, every = Trainer(model, made, Recipe(steps=2, batch=4, lr=0.1)), sum(measured.values(), [])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = trainer.change(train["k0"], every, lambda: None)
    trainer.change(train["k1"], every, lambda: None)
    assert np.abs(first).max() > 1e-3
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert np.allclose(first, trainer.change(train["k0"], every, lambda: None))


def test_rollouts_that_predict_are_not_measured():
    responses = [[1], [2], [1, 2], [2], [3], [1]]
    prompt = held_out(Rollouts("p", [0], {"correct": responses}), 3)  # units: 0 3 | 1 4 | 2 5
    assert prompt.responses == {"correct": responses, "measured": [[1], [2], [1, 2], [1]]}
    assert held_out(Rollouts("p", [0], {"correct": [[1], [1]]}), 10).responses["measured"] == [[1]], "sampled twice"
    assert held_out(Rollouts("p", [0], {"correct": [[1]]}), 10).responses["measured"] == []


def test_random_rollouts_bear_nothing_out(tmp_path):
    model, r = tiny(dtype=torch.float64), []
    for seed in range(3):
        made = {f"p{i}": rollouts(1000 * seed + i, 6) for i in range(40)}
        given = [held_out(Rollouts(n, p, {"correct": responses}), 6) for n, (p, responses) in made.items()]
        found = prompt_gradients(model, given, full(model, None), units=6)["correct"]
        model.set_attn_implementation("eager")
        clusters, texts = {name: f"k{i % 8}" for i, name in enumerate(made)}, dict.fromkeys(made, "x = ")
        recipe = Recipe(steps=1, batch=6, lr=1e-4, optimiser="sgd")
        checked = verify(model, given, texts, to_check(found), clusters, 0, recipe, 0, tmp_path / str(seed))
        r.append(checked.summary()["agreement"]["gradient"]["all"]["value"])
    assert np.mean(r) < 0.6
