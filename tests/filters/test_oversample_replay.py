"""oversample_replay against its rules written out: counts, uniformity, limits, no leak, determinism, state."""

import pickle
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from tests.filters.histories import configs, histories, sequence, visit


class Oracle:
    """Algorithm 1 as plain bookkeeping by payload; it follows a filter's draws and says what they may be."""

    def __init__(self, config: FilterConfig):
        self.config = config
        self.stored = {"a": [], "b": []}  # payloads in order of storing
        self.uses = Counter()

    def check(self, name, rollouts, decision):
        c = self.config
        positives = {r.payload for r in rollouts if r.reward > 0.5}
        negatives = {r.payload for r in rollouts} - positives
        missing = max(0, c.positives_per_group - len(positives))
        if len(negatives) < c.k - c.positives_per_group:
            expected = "too_few_negatives"
        elif missing > len(self.stored[name]):
            expected = "too_few_positives" if positives else "no_positive"
        else:
            expected = "accepted"
        assert (decision.accepted, decision.reason) == (expected == "accepted", expected)
        if decision.accepted:
            self._check_kept(name, decision, positives, negatives, missing)
        else:
            assert decision.rollouts == ()

    def _check_kept(self, name, decision, positives, negatives, missing):
        fresh = [r.payload for r in decision.rollouts if not r.replayed]
        replayed = [r.payload for r in decision.rollouts if r.replayed]
        assert len({*fresh, *replayed}) == len(decision.rollouts) == self.config.k
        assert len(positives & set(fresh)) + len(replayed) == self.config.positives_per_group
        assert len(replayed) == missing == decision.n_replayed
        assert set(fresh) <= positives | negatives
        assert set(replayed) <= set(self.stored[name])  # none of another prompt, none used up
        self.uses.update(replayed)
        self.stored[name] = [p for p in self.stored[name] if self.uses[p] < self.config.replay_limit]

    def store(self, name, added, positives):
        assert set(added) <= positives
        assert len(added) == min(self.config.positives_per_group, len(positives), self.config.buffer_per_prompt)
        self.stored[name] = [*self.stored[name], *added][-self.config.buffer_per_prompt :]


def in_buffer(mine, name):
    return [(rollout.payload, uses) for rollout, _, uses in mine.buffer.state_dict()["stored"].get(name, [])]


@given(configs, histories)
def test_against_the_rules_written_out(config, history):
    mine, oracle = OversampleReplayFilter(config), Oracle(config)
    for number, (name, rewards) in enumerate(history):
        rollouts = sequence(name, number, rewards[: mine.total])
        decision = mine.decide(Group(name, rollouts))
        oracle.check(name, rollouts, decision)
        added = [payload for payload, _ in in_buffer(mine, name) if payload[1] == number]
        oracle.store(name, added, {r.payload for r in rollouts if r.positive})
        for prompt in "ab":
            assert in_buffer(mine, prompt) == [(p, oracle.uses[p]) for p in oracle.stored[prompt]]


@given(configs, histories, st.booleans(), st.integers(0, 12))
def test_a_state_saved_at_any_moment_brings_the_same_decisions(config, history, adaptive, at):
    config = replace(config, adaptive=adaptive, give_up_below=0.3)
    mine, again = OversampleReplayFilter(config), OversampleReplayFilter(config)
    for number, (name, rewards) in enumerate(history):
        if number == at:
            again.load_state_dict(pickle.loads(pickle.dumps(mine.state_dict())))
        decided = visit(mine, name, sequence(name, number, rewards))
        if number >= at:
            assert visit(again, name, sequence(name, number, rewards)) == decided
            assert again.state_dict() == mine.state_dict()


@given(configs, histories)
def test_a_saved_state_does_not_change_with_what_follows(config, history):
    mine = OversampleReplayFilter(config)
    for number, (name, rewards) in enumerate(history):
        state = mine.state_dict()
        before = pickle.dumps(state)
        visit(mine, name, sequence(name, number, rewards))
        assert pickle.dumps(state) == before


@given(configs, histories, st.randoms(use_true_random=False))
def test_draws_do_not_depend_on_the_order_between_prompts(config, history, random):
    together, apart = OversampleReplayFilter(config), OversampleReplayFilter(config)
    groups = [(name, sequence(name, number, rewards)) for number, (name, rewards) in enumerate(history)]
    first = [visit(together, *group) for group in groups]
    # Shuffle the prompts among each other; the visits of one prompt stay in their order.
    waiting = {name: [i for i, group in enumerate(groups) if group[0] == name] for name in "ab"}
    names = [name for name, _ in groups]
    random.shuffle(names)
    for name in names:
        i = waiting[name].pop(0)
        assert visit(apart, *groups[i]) == first[i]


def test_another_seed_draws_others():
    rollouts = sequence("a", 0, [1.0, 0.0] * 8)
    kept = {visit(OversampleReplayFilter(FilterConfig(k=4, seed=seed)), "a", rollouts)[0] for seed in range(20)}
    assert len(kept) > 15


def test_every_positive_and_negative_is_drawn_equally_often():
    rewards = [1.0] * 3 + [0.0] * 9
    kept = Counter()
    for seed in range(3000):
        mine = OversampleReplayFilter(FilterConfig(k=4, seed=seed, oversample_factor=3))
        kept.update(r.payload[2] for r in visit(mine, "a", sequence("a", 0, rewards))[0].rollouts)
    assert sum(kept.values()) == 4 * 3000
    assert chisquare([kept[i] for i in range(3)]).pvalue > 1e-3
    assert chisquare([kept[i] for i in range(3, 12)]).pvalue > 1e-3


def test_every_stored_positive_is_replayed_equally_often():
    replayed = Counter()
    for seed in range(2000):
        mine = OversampleReplayFilter(FilterConfig(k=4, seed=seed, oversample_factor=1))
        for number in range(4):
            visit(mine, "a", sequence("a", number, [1.0, 0.0, 0.0, 0.0]))
        decision, _ = visit(mine, "a", sequence("a", 4, [0.0] * 4))
        replayed.update(r.payload[1] for r in decision.rollouts if r.replayed)
    assert sum(replayed.values()) == 2000
    assert chisquare([replayed[number] for number in range(4)]).pvalue > 1e-3


def test_a_replayed_rollout_is_the_stored_one_but_for_its_mark():
    mine = OversampleReplayFilter(FilterConfig(k=2, oversample_factor=1, replay_limit=2))
    tensor_like = object()
    mine.decide(Group("a", (Rollout(1.0, tensor_like), Rollout(0.0))))
    for _ in range(2):
        decision = mine.decide(Group("a", (Rollout(0.0), Rollout(0.0))))
        assert decision.rollouts[0] == Rollout(1.0, tensor_like, replayed=True)
    assert mine.decide(Group("a", (Rollout(0.0), Rollout(0.0)))).reason == "no_positive"


def test_how_full_the_memory_is_and_what_had_to_go_are_metrics():
    mine = OversampleReplayFilter(FilterConfig(k=2, oversample_factor=1, buffer_bytes=1000))
    for number in range(4):
        visit(mine, str(number), sequence("a", number, [1.0, 0.0]))
    metrics = mine.metrics()
    assert 0 < metrics["unlearn/replay_memory_gb"] * 1e9 <= 1000
    assert metrics["unlearn/replay_evicted"] == 4 - len(mine.buffer) > 0
