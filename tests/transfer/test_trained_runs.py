"""Runs that each trained one cluster: what of them is measured, what is refused, and noise that must say nothing."""

import numpy as np
import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.rollouts import origin
from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.run_dir import SCHEMA_VERSION, RunDir, write_json
from openrlhf_unlearn.store.training import Rewards
from openrlhf_unlearn.transfer.trained_runs import TrainedRuns, compare, read
from openrlhf_unlearn.transfer.vectors import Vectors
from openrlhf_unlearn.transfer.words import DIRECTION

CLUSTERS = {f"{kind}{i}": kind for kind in "abcdefgh" for i in range(12)}


def evaluation(run: RunDir, tag: str, rates: dict[str, float], n: int = 10, said: str = "") -> Evaluations:
    rows = [
        Evaluations.Row(
            prompt_id=name, sample=i, response=f"{said}{i}", reward=float(i < n * rate),
            verdict="correct" if i < n * rate else "wrong", n_tokens=3,
        )
        for name, rate in rates.items() for i in range(n)
    ]  # fmt: skip
    table = Evaluations.of_rows(rows)
    table.write(run, tag)
    return table


def trained(path, prompts: list[str], final: dict[str, float] | None, initial: dict[str, float] | None = None):
    run = RunDir(path)
    write_json(run.run_json, {"schema_version": SCHEMA_VERSION, "args": {}})
    Rewards.of_rows(
        Rewards.Row(step=1, prompt_id=name, processed=False, n=8, n_positive=1, mean_reward=0.1) for name in prompts
    ).write(run, 1)
    for tag, rates in (("final", final), ("initial", initial)):
        if rates is not None:
            evaluation(run, tag, rates, said=f"{path.name} {tag} ")
    return str(run.path)


def test_what_trained_and_the_rates_before_and_after_are_read(tmp_path):
    some = {"a2": 0.2, "b2": 0.4}
    runs = [
        trained(tmp_path / "1", ["a0", "a1"], {"a2": 0.5, "b2": 0.4}, some),
        trained(tmp_path / "2", ["a0"], {"a2": 0.7, "b2": 0.4}),
        trained(tmp_path / "3", ["b0"], {"a2": 0.1, "b2": 1.0}, {"a2": 0.4, "b2": 0.4}),
    ]
    found = read(runs, CLUSTERS, {})
    assert found.trained == {"a": {"a0", "a1"}, "b": {"b0"}}
    assert found.after == {"a": {"a2": pytest.approx(0.6), "b2": 0.4}, "b": {"a2": 0.1, "b2": 1.0}}
    assert found.before == {"a2": pytest.approx(0.3), "b2": pytest.approx(0.4)}


def test_runs_that_tell_nothing_are_refused(tmp_path):
    rates = {"a2": 0.5, "b2": 0.5}
    mixed = trained(tmp_path / "mixed", ["a0", "b0"], rates, rates)
    with pytest.raises(UserError, match="one cluster .*; it has a, b"):
        read([mixed], CLUSTERS, {})
    with pytest.raises(UserError, match="it has prompts of none"):
        read([trained(tmp_path / "other", ["x"], rates, rates)], CLUSTERS, {})
    with pytest.raises(UserError, match="final.parquet is missing"):
        read([trained(tmp_path / "unfinished", ["a0"], None, rates)], CLUSTERS, {})
    with pytest.raises(UserError, match="none of the runs has an evaluation initial"):
        read([trained(tmp_path / "without", ["a0"], rates)], CLUSTERS, {})


def test_the_rollouts_that_predict_are_not_what_is_measured(tmp_path):
    rates = {"a2": 0.5}
    run = trained(tmp_path / "1", ["a0"], rates, rates)
    probed = origin(Evaluations.read(RunDir(run), "initial"))
    with pytest.raises(UserError, match="of other rollouts than the probe's"):
        read([run], CLUSTERS, {"rollouts": probed})


def checked(move: float, seed: int):
    """Twelve prompts a cluster, four of which train; the rates move by what the gradients say, times `move`."""
    rng = np.random.default_rng(seed)
    ids, dim = list(CLUSTERS), 24
    centres = {kind: rng.standard_normal(dim) for kind in "abcdefgh"}
    feel = np.stack([centres[CLUSTERS[name]] for name in ids]) + 0.5 * rng.standard_normal((len(ids), dim))
    place, trains = {name: i for i, name in enumerate(ids)}, {k: {f"{k}{i}" for i in range(4)} for k in "abcdefgh"}
    rest = [name for name in ids if name not in set.union(*trains.values())]
    before = {name: 0.3 for name in rest}
    noise = {kind: rng.standard_normal(len(rest)) for kind in trains}
    after = {
        kind: {
            name: 0.3
            + 0.002 * move * float(np.mean([feel[place[p]] @ feel[place[name]] for p in prompts]))
            + 0.02 * noise[kind][i]
            for i, name in enumerate(rest)
        }
        for kind, prompts in trains.items()
    }
    vectors = Vectors(ids, feel.astype(np.float32), feel.astype(np.float32), True)
    texts, rates, lengths = {name: f"text {name}" for name in ids}, dict.fromkeys(ids, 0.3), dict.fromkeys(ids, 1.0)
    return compare(TrainedRuns(trains, after, before), vectors, rates, lengths, CLUSTERS, texts, {})


def test_what_the_gradients_say_is_found_on_prompts_that_did_not_train():
    found = checked(1.0, 0)
    assert found.trained == found.names == list("abcdefgh") and found.left_out == 0
    summary = found.summary()
    assert found.mine == DIRECTION and DIRECTION not in summary["advantage"]
    assert summary["agreement"][DIRECTION]["all"]["low"] > 0.8
    assert summary["agreement"][DIRECTION]["all"]["value"] > summary["agreement"]["text"]["all"]["value"]
    assert "hidden states" not in summary["agreement"]  # the probe kept none


def test_rewards_that_move_by_chance_bear_nothing_out():
    draws = [checked(0.0, seed).summary()["agreement"][DIRECTION]["all"]["low"] for seed in range(60)]
    assert sum(low > 0 for low in draws) <= 5  # 2.5 % wanted
