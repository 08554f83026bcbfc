"""Hints on demand against an obvious oracle, and what is kept from one visit to the next."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import FilterConfig, Group, Rollout, load_filter

K = 4
HINTS = {"a": ("a small", "a large"), "b": ("b only",)}


def make(trains="group", spec="hinted", seed=0):
    return load_filter(spec, FilterConfig(k=K, seed=seed, hints=HINTS, hint_trains=trains))


def visit(mine, name, plain, hinted):
    """One visit as the collector makes it: (decision, the hint that was asked, rollouts sampled)."""
    rollouts = [Rollout(float(r), payload=("plain", i)) for i, r in enumerate(plain[: mine.samples_per_wave])]
    asked = None
    while more := mine.wants_more(Group(name, tuple(rollouts))):
        hint = mine.hint(Group(name, tuple(rollouts)))
        assert asked is None, "one hinted wave at most"
        asked = hint
        source = hinted if hint else plain[len(rollouts) :]
        kind = "hinted" if hint else "plain"
        rollouts += [Rollout(float(r), (kind, i), hinted=bool(hint)) for i, r in enumerate(source[:more])]
    return mine.decide(Group(name, tuple(rollouts))), asked, len(rollouts)


class Oracle:
    """What the documentation says, word by word."""

    def __init__(self, trains):
        self.trains, self.level = trains, Counter()

    def visit(self, name, plain, hinted):
        """(accepted, what may train: a multiset of kinds, hint asked)."""
        hints = HINTS.get(name, ())
        if any(plain):
            self.lower(name)
            mixed = not all(plain)
            return mixed, {"plain": K} if mixed else {}, None
        if not hints:
            return False, {}, None
        asked = hints[self.level[name]]
        if all(hinted):
            self.lower(name)
        elif not any(hinted):
            self.level[name] = min(self.level[name] + 1, len(hints) - 1)
        if self.trains == "group":
            mixed = any(hinted) and not all(hinted)
            return mixed, {"hinted": K} if mixed else {}, asked
        return any(hinted), {"hinted": 1, "plain": K - 1} if any(hinted) else {}, asked

    def lower(self, name):
        self.level[name] = max(self.level[name] - 1, 0)


rewards = st.lists(st.sampled_from([0, 0, 0, 1]), min_size=K, max_size=K) | st.sampled_from([[0] * K, [1] * K])
histories = st.lists(st.tuples(st.sampled_from("abc"), rewards, rewards), max_size=14)


@given(history=histories, trains=st.sampled_from(["group", "one"]), at=st.integers(0, 14))
def test_what_trains_is_what_the_documentation_says_also_after_a_resume_at_any_moment(history, trains, at):
    mine, oracle = make(trains), Oracle(trains)
    for i, (name, plain, hinted) in enumerate(history):
        if i == at:
            resumed = make(trains)
            resumed.load_state_dict(json.loads(json.dumps(mine.state_dict())))
            mine = resumed
        decision, asked, _ = visit(mine, name, plain, hinted)
        accepted, kinds, expected = oracle.visit(name, plain, hinted)
        assert (decision.accepted, asked) == (accepted, expected)
        assert Counter(rollout.payload[0] for rollout in decision.rollouts) == kinds
        assert len(set(decision.rollouts)) == len(decision.rollouts)
        decision.check(K, "hinted", name)
        if trains == "one" and kinds.get(
            "hinted"
        ):  # sampled elsewhere, so weighted as a replayed one; the rest is fresh
            assert [rollout.replayed for rollout in decision.rollouts] == [True] + [False] * (K - 1)
            assert [rollout.positive for rollout in decision.rollouts] == [True] + [False] * (K - 1)
        else:
            assert not any(rollout.replayed for rollout in decision.rollouts)
        assert decision.n_replayed == 0


@pytest.mark.parametrize(("trains", "kinds"), [("group", {"hinted": K}), ("one", {"hinted": 1, "plain": K - 1})])
@pytest.mark.parametrize("hinted", [[1, -1, 1, -1], [-1] * K])
def test_a_group_that_differs_without_a_positive_trains_by_its_hint_where_that_can(trains, kinds, hinted):
    decision, asked, n = visit(make(trains), "a", [-1, -1, -0.5, -1], hinted)
    assert (asked, n, decision.accepted) == ("a small", 2 * K, True)
    found = Counter(rollout.payload[0] for rollout in decision.rollouts)
    assert (found, decision.reason) == ((kinds, "hinted") if 1 in hinted else ({"plain": K}, "accepted"))


def test_the_hinted_positive_that_trains_is_drawn_uniformly():
    drawn = Counter()
    for seed in range(900):
        decision, _, _ = visit(make("one", seed=seed), "a", [0] * K, [1, 0, 1, 1])
        drawn[decision.rollouts[0].payload[1]] += 1
    assert set(drawn) == {0, 2, 3} and min(drawn.values()) > 240


def test_a_prompt_that_is_solved_without_takes_no_hints():
    """The share of hints is the share of visits without a plain positive, so it falls as the prompt is learned."""
    mine = make()
    for _ in range(3):
        assert visit(mine, "a", [0] * K, [0] * K)[1]
    assert mine.level["a"] == 1
    assert mine.metrics()["unlearn/hinted_visits"] == 1
    for _ in range(3):
        assert visit(mine, "a", [0, 1, 0, 1], [0] * K)[1:] == (None, K)
    assert mine.level["a"] == 0 and mine.metrics()["unlearn/hinted_visits"] == 0


def test_no_hint_is_sampled_where_replay_can_fill_the_group():
    mine = make(spec="hinted+oversample_replay")
    total = mine.samples_per_wave
    assert visit(mine, "a", [1] + [0] * (total - 1), [])[0].accepted  # its positive is stored
    decision, asked, n = visit(mine, "a", [0] * total, [1, 0, 0, 0])
    assert asked is None and n == total and decision.n_replayed == 1
    decision, asked, n = visit(mine, "b", [0] * total, [1, 0, 0, 0])
    assert asked == "b only" and n == total + K and decision.reason == "hinted"


@pytest.mark.parametrize("spec", ["review+hinted", "hinted+review", "hinted+dynamic", "review+hinted+dynamic"])
def test_it_composes(spec):
    decision, asked, _ = visit(make(spec=spec), "a", [0] * K, [1, 0, 0, 0])
    assert asked == "a small" and decision.accepted and decision.reason == "hinted"


def test_with_none_every_group_trains_as_it_is():
    decision, asked, n = visit(make(spec="hinted+none"), "a", [0] * K, [1] * K)
    assert (asked, n, decision.reason) == (None, K, "accepted")


def test_an_unknown_inner_filter_is_named():
    with pytest.raises(UserError, match="dynamc: choose of"):
        make(spec="hinted+dynamc")


def test_a_hint_makes_up_for_a_positive_until_the_largest_one_brought_nothing():
    mine, nothing = make(), [0] * K
    assert mine.makes_up("a") and mine.makes_up("b") and not mine.makes_up("c")
    visit(mine, "a", nothing, nothing)  # a smaller one
    assert mine.makes_up("a")
    visit(mine, "a", nothing, nothing)
    visit(mine, "b", nothing, nothing)
    other = make()
    other.load_state_dict(json.loads(json.dumps(mine.state_dict())))
    assert not (other.makes_up("a") or other.makes_up("b"))
    visit(other, "a", nothing, [1] + [0] * (K - 1))
    visit(other, "b", [1] + [0] * (K - 1), nothing)
    assert other.makes_up("a") and other.makes_up("b")


def test_a_stored_positive_makes_up_for_one_of_this_visit():
    mine = load_filter("hinted+oversample_replay", FilterConfig(k=K, hints=HINTS))
    assert not mine.makes_up("c")
    mine.seed("c", [Rollout(1.0, "trace", expert=True)])
    assert mine.makes_up("c")
