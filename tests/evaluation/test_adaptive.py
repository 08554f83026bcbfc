"""The promise of adaptive sampling, by simulation and by exact enumeration; what it saves."""

import numpy as np
import pytest

from benchmarks.adaptive_replay import main, outcomes, replay
from openrlhf_unlearn.evaluation.adaptive import Plan, pooled_rates
from tests.labels.runs import make_run


def simulate(plan: Plan, rates: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Play the plan sample by sample: samples taken, label at the stop, label of all n samples; (prompts,) each."""
    rng = np.random.default_rng(seed)
    draws = rng.random((len(rates), plan.n)) < rates[:, None]
    taken, at_stop = [], []
    for row in draws:
        n = 0
        while more := plan.wanted(n, int(row[:n].sum())):
            n += more
        taken.append(n)
        at_stop.append(row[:n].mean() >= plan.settle)
    return np.array(taken), np.array(at_stop), draws.mean(axis=1) >= plan.settle


def like_the_paper(size: int, seed: int = 0) -> np.ndarray:
    """Pass rates before training: a broad middle, and 40 % hard prompts near 0."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(size) < 0.6, rng.beta(1.6, 1.6, size), rng.beta(0.5, 12, size))


def test_at_most_half_of_the_samples_for_the_same_labels():
    taken, at_stop, of_all = simulate(Plan(32, 0.04), like_the_paper(20_000))
    assert (at_stop == of_all).mean() >= 0.99
    assert taken.mean() <= 16


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.15, 0.2])
def test_promise_holds_at_any_rate(rate):
    plan = Plan(32, 0.05)
    taken, at_stop, of_all = simulate(plan, np.full(20_000, rate), seed=1)
    changed = (at_stop != of_all).mean()
    assert changed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20_000)
    assert changed == pytest.approx(plan.changed(np.array([rate]))[0], abs=0.006)  # the exact enumeration
    assert taken.mean() == pytest.approx(plan.expected_samples(np.array([rate]))[0], rel=0.02)


def stopped(plan: Plan, rates: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Samples and positives of each prompt where the plan stops, (prompts,) each."""
    rng, n, positive = np.random.default_rng(seed), np.zeros(len(rates), int), np.zeros(len(rates), int)
    wanted = np.vectorize(plan.wanted)
    while (more := wanted(n, positive)).any():
        n, positive = n + more, positive + rng.binomial(more, rates)
    return n, positive


@pytest.mark.parametrize("plan", [Plan(32, 0.04), Plan(30, 0.1, 0.25), Plan(64, 0.04)])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.315, 0.8])
def test_rates_are_unbiased_after_adaptive_sampling(plan, rate):
    n, positive = stopped(plan, np.full(20_000, rate), seed=2)
    assert abs(plan.rates(n, positive).mean() - rate) <= 0.005


def test_positives_over_samples_are_not_what_is_shown():
    """Half of the prompts near 0, half in the middle: pooled positives say little more than half of the truth."""
    rates = np.where(np.arange(4000) % 2, 0.03, 0.6)
    plan = Plan(32, 0.04)
    n, positive = stopped(plan, rates)
    assert positive.sum() / n.sum() < 0.22 < 0.31 < plan.rates(n, positive).mean() < 0.32


def test_rates_by_enumeration_of_all_samples():
    """Every order of 8 samples, alike likely: the first one's mean at each stop."""
    plan, seen = Plan(8, 0.04, 0.3, wave=4), {}
    for number in range(256):
        row, n = [number >> i & 1 for i in range(8)], 0
        while more := plan.wanted(n, sum(row[:n])):
            n += more
        seen.setdefault((n, sum(row[:n])), []).append(row[0])
    for (n, positive), firsts in seen.items():
        assert plan.rates([n], [positive])[0] == pytest.approx(np.mean(firsts))


def test_rates_of_samples_that_no_plan_stopped_are_positives_over_samples():
    assert Plan(32, 0.04).rates([5, 0, 40], [2, 0, 10])[[0, 2]].tolist() == [0.4, 0.25]
    assert np.isnan(Plan(32).rates([0], [0])).all()
    assert Plan(32).rates([32], [8]) == [0.25]


@pytest.mark.parametrize("error_rate", [0.01, 0.05, 0.1])
@pytest.mark.parametrize(("n", "settle"), [(32, 0.1), (30, 0.25), (64, 0.1)])
def test_bound_is_kept_on_a_grid_finer_than_the_planned_one(error_rate, n, settle):
    changed = Plan(n, error_rate, settle).changed(np.linspace(0, 1, 2001))
    assert changed.max() <= error_rate * 1.01


def test_tighter_promises_cost_more():
    rates = like_the_paper(500)
    costs = [Plan(32, error).expected_samples(rates).mean() for error in (0.1, 0.05, 0.01, 0.0)]
    assert costs == sorted(costs)
    taken, at_stop, of_all = simulate(Plan(32, 0.0), rates)
    assert (at_stop == of_all).all()


def test_without_it_all_samples_are_wanted():
    assert [Plan(32).wanted(n, n) for n in (0, 20, 32, 40)] == [32, 12, 0, 0]


def test_resume_between_two_looks_only_completes_the_wave():
    plan = Plan(32, 0.05)
    assert plan.wanted(0, 0) == 4
    assert plan.wanted(3, 0) == 1
    assert plan.wanted(32, 3) == 0
    assert plan.wanted(8, 8) == 0


def test_replay_of_an_evaluation_that_is_done(tmp_path, capsys, monkeypatch):
    run = make_run(tmp_path / "run", [0] * 30 + [1] * 5 + [20] * 30, [32] * 65)
    assert outcomes(run, "initial").sum(axis=1).tolist() == [0] * 30 + [1] * 5 + [20] * 30
    taken, same = replay(outcomes(run, "initial"), Plan(32, 0.04))
    assert taken < 16 and same >= 0.97
    assert replay(outcomes(run, "initial"), Plan(32)) == (32, 1)
    monkeypatch.setattr("sys.argv", ["replay", str(run), "--tags", "final"])
    main()
    assert capsys.readouterr().out.strip().endswith("100.00% labels the same")


def test_evaluations_are_pooled_by_sample_unless_outcomes_decided_how_many():
    n, positive = np.array([[8, 8, 0], [24, 0, 0]]), np.array([[8, 4, 0], [0, 0, 0]])
    assert pooled_rates([None, None], n, positive)[:2].tolist() == [0.25, 0.5]
    plan = Plan(32, 0.04)
    alone = plan.rates(n[0], positive[0])
    mixed = pooled_rates([plan, None], n, positive)
    assert mixed[:2].tolist() == [alone[0] / 2, alone[1]] and np.isnan(mixed[2])
