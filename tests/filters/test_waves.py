"""Adaptive waves against the fixed draw: the same decisions, the same rollouts in law, fewer sampled."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from openrlhf_unlearn.filters.waves import chance_of_positive, next_wave
from tests.filters.histories import configs, histories, sequence, visit

FIXED = FilterConfig(k=4, replay_limit=1)
ADAPTIVE = replace(FIXED, adaptive=True)


@given(configs, histories)
def test_every_decision_of_a_history_is_that_of_the_fixed_draw(config, history):
    """The same sequences in both: the same verdicts, reasons, numbers of replays and visits that they come from."""
    fixed, adaptive = OversampleReplayFilter(config), OversampleReplayFilter(replace(config, adaptive=True))
    for number, (name, rewards) in enumerate(history):
        rollouts = sequence(name, number, rewards)
        mine, n = visit(adaptive, name, rollouts)
        theirs, total = visit(fixed, name, rollouts)
        assert (mine.accepted, mine.reason) == (theirs.accepted, theirs.reason)
        assert origins(mine) == origins(theirs)
        assert n <= total == config.oversample_factor * config.k
        for prompt in "ab":
            assert adaptive.buffer.available(prompt) == fixed.buffer.available(prompt)


def origins(decision):
    return [rollout.payload[1] for rollout in decision.rollouts if rollout.replayed]


@given(configs, st.integers(0, 16), st.integers(0, 16))
def test_a_wave_is_asked_for_exactly_while_more_could_matter(config, positives, negatives):
    total = config.oversample_factor * config.k
    wave = next_wave(config, positives, negatives)
    needed = config.k - config.positives_per_group
    filled = positives >= config.positives_per_group and negatives >= needed
    hopeless = total - positives < needed  # even if every further rollout were negative
    if positives + negatives <= total:
        assert (wave > 0) == (not filled and not hopeless and positives + negatives < total)
        assert wave <= min(config.k, total - positives - negatives)


KINDS = {"short": (0.5, 0.02), "middle": (0.3, 0.1), "long": (0.2, 0.3)}  # share of rollouts, pass rate of the kind


def sample(rng: random.Random, number: int) -> tuple[Rollout, ...]:
    """16 rollouts of a policy whose correct answers are longer: what is kept must show that, however it was stopped."""
    kinds = rng.choices(list(KINDS), [share for share, _ in KINDS.values()], k=16)
    return tuple(Rollout(float(rng.random() < KINDS[kind][1]), payload=(kind, number)) for kind in kinds)


def tally(mine: OversampleReplayFilter, seed: int, visits: int = 12, prompts: int = 500) -> dict[str, Counter]:
    """What trains over `visits` to each of many like prompts: verdicts, kinds of each sort, age of replays."""
    rng = random.Random(seed)
    counts = {name: Counter() for name in ("reason", "positive", "negative", "replayed", "age", "pairs")}
    for prompt in range(prompts):
        for number in range(visits):
            decision, _ = visit(mine, str(prompt), sample(rng, number))
            counts["reason"][decision.reason] += 1
            for rollout in decision.rollouts:
                kind, born = rollout.payload
                sort = "replayed" if rollout.replayed else "positive" if rollout.positive else "negative"
                counts[sort][kind] += 1
                if rollout.replayed:
                    counts["age"][min(number - born, 4)] += 1
            if decision.accepted:  # the joint law, by one pair: the positive's kind with how many negatives are long
                longs = sum(r.payload[0] == "long" for r in decision.rollouts if not r.positive)
                counts["pairs"][decision.rollouts[0].payload[0], min(longs, 2)] += 1
    return counts


def p_value(one: Counter, other: Counter) -> float:
    """Of the hypothesis that both were counted from the same distribution."""
    keys = sorted(set(one) | set(other))
    return chi2_contingency([[counter[key] for key in keys] for counter in (one, other)]).pvalue


@pytest.fixture(scope="module")
def fixed_tally():
    return tally(OversampleReplayFilter(FIXED), seed=1)


def test_what_trains_has_the_distribution_of_the_fixed_draw(fixed_tally):
    adaptive = tally(OversampleReplayFilter(ADAPTIVE), seed=2)
    for name, counter in fixed_tally.items():
        assert sum(counter.values()) > 100, name
        assert p_value(counter, adaptive[name]) > 1e-3, name


class StopsOnAStoredPositive(OversampleReplayFilter):
    """The tempting shortcut: no more waves when a stored positive could fill the group."""

    def wants_more(self, group):
        return 0 if self.buffer.available(group.prompt_id) else super().wants_more(group)


class PrefersShortOnes(OversampleReplayFilter):
    """Stops by content: more waves as long as every positive so far is a long one, which then gives way."""

    def wants_more(self, group):
        positives = [rollout for rollout in group.rollouts if rollout.positive]
        if positives and not without_long_positives(group).n_positive and len(group.rollouts) < self.total:
            return 4
        return super().wants_more(group)

    def decide(self, group):
        short = without_long_positives(group)
        return super().decide(short if short.n_positive else group)


def without_long_positives(group: Group) -> Group:
    return Group(group.prompt_id, tuple(r for r in group.rollouts if not (r.positive and r.payload[0] == "long")))


@pytest.mark.parametrize(("wrong", "shows"), [(StopsOnAStoredPositive, "age"), (PrefersShortOnes, "positive")])
def test_the_comparison_sees_a_wrong_stopping_rule(fixed_tally, wrong, shows):
    assert p_value(fixed_tally[shows], tally(wrong(ADAPTIVE), seed=3)[shows]) < 1e-6


def test_the_mean_of_the_first_wave_is_unbiased_and_that_of_all_waves_is_not():
    rng = random.Random(0)
    rate, visits = 0.1, 8000
    first = everything = sampled = 0
    mine = OversampleReplayFilter(ADAPTIVE)
    for number in range(visits):
        rollouts = sequence("a", number, [float(rng.random() < rate) for _ in range(16)])
        _, n = visit(mine, "a", rollouts)
        first += sum(r.reward for r in rollouts[:4]) / 4
        everything += sum(r.reward for r in rollouts[:n]) / n
        sampled += n
    error = (rate * (1 - rate) / 4 / visits) ** 0.5
    assert abs(first / visits - rate) < 4 * error
    assert everything / visits > rate + 8 * error
    assert sampled < 0.75 * 16 * visits


def test_giving_up_needs_a_long_dry_spell_and_ends_with_a_positive():
    mine = OversampleReplayFilter(replace(ADAPTIVE, give_up_below=0.25))
    dry = [0.0] * 16
    numbers = [visit(mine, "a", sequence("a", i, dry)) for i in range(5)]
    assert [n for _, n in numbers] == [12, 12, 8, 4, 4]
    assert [decision.reason for decision, _ in numbers] == ["given_up"] * 5
    assert visit(mine, "b", sequence("b", 0, dry))[1] == 12  # another prompt knows nothing of it
    assert visit(mine, "a", sequence("a", 5, [1.0, *dry[1:]]))[0].accepted
    assert visit(mine, "a", sequence("a", 6, dry))[1] == 12


def test_the_chance_of_a_positive_is_laplaces():
    """Against the rule's own meaning: a pass rate uniform on [0, 1], seen `dry` times without a positive."""
    rates = [(i + 0.5) / 20000 for i in range(20000)]
    for dry, n in ((0, 1), (4, 12), (100, 24)):
        weights = [(1 - rate) ** dry for rate in rates]
        chance = sum(w * (1 - (1 - rate) ** n) for w, rate in zip(weights, rates, strict=True)) / sum(weights)
        assert chance_of_positive(dry, n) == pytest.approx(chance, abs=1e-3)
