import copy
import pickle
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.filters import Rollout
from openrlhf_unlearn.filters.replay_buffer import OVERHEAD, ReplayBuffer

LIMIT, PER_PROMPT = 2, 3


@dataclass(frozen=True)
class Payload:
    name: tuple
    nbytes: int


chances = st.sampled_from([0.0, 0.01, 0.3, 0.3, 0.9, 1.0])
adds = st.tuples(st.just("add"), st.sampled_from("abcd"), st.lists(st.integers(0, 2000), max_size=4), chances)
takes = st.tuples(st.just("take"), st.sampled_from("abcd"), st.integers(1, 3), st.none())
actions = st.lists(adds | takes, max_size=40)


class Oracle:
    """One list of everything stored, oldest first; what goes is found by looking at all of it."""

    def __init__(self, memory):
        self.memory, self.stored, self.uses, self.chance = memory, [], Counter(), {}

    def of(self, name):
        return [payload for payload in self.stored if payload.name[0] == name]

    def worth(self, name):
        """The chance that the prompt is dry once more often than its stored ones but the oldest could fill."""
        oldest, *others = self.of(name)
        return self.chance[name] ** (1 + sum(LIMIT - self.uses[p] for p in others)), self.stored.index(oldest)

    def add(self, name, payloads, chance):
        for payload in payloads:
            self.stored.append(payload)
            if len(self.of(name)) > PER_PROMPT:
                self.stored.remove(self.of(name)[0])
        self.chance[name] = chance
        while sum(payload.nbytes + OVERHEAD for payload in self.stored) > self.memory:
            victim = min({payload.name[0] for payload in self.stored}, key=self.worth)
            self.stored.remove(self.of(victim)[0])

    def take(self, payloads):
        self.uses.update(payloads)
        self.stored = [payload for payload in self.stored if self.uses[payload] < LIMIT]


def held(buffer, name):
    return [(rollout.payload, uses) for rollout, _, uses in buffer.state_dict()["stored"].get(name, [])]


@given(actions, st.sampled_from([1500, 4000, 9000, 10**9]), st.integers(0, 40))
def test_against_one_plain_list(actions, memory, at):
    """What is held, how often it was used, and a state saved at any moment, which goes on the same."""
    buffer, oracle = ReplayBuffer(LIMIT, PER_PROMPT, memory), Oracle(memory)
    for number, (action, name, what, chance) in enumerate(actions):
        if number == at:
            saved, buffer = buffer, ReplayBuffer(LIMIT, PER_PROMPT, memory)
            buffer.load_state_dict(pickle.loads(pickle.dumps(saved.state_dict())))
            assert buffer.state_dict() == saved.state_dict()
        if action == "take":
            n = min(what, buffer.available(name))
            taken = buffer.take(name, n, random.Random(number))
            payloads = [rollout.payload for rollout in taken]
            assert len(set(payloads)) == n and set(payloads) <= set(oracle.of(name))
            assert all(rollout.replayed for rollout in taken)
            oracle.take(payloads)
        else:
            payloads = [Payload((name, number, i), size) for i, size in enumerate(what)]
            buffer.add(name, [Rollout(1.0, payload) for payload in payloads], chance)
            oracle.add(name, payloads, chance)
        assert len(buffer) == len(oracle.stored)
        assert buffer.nbytes == sum(payload.nbytes + OVERHEAD for payload in oracle.stored) <= memory
        for prompt in "abcd":
            assert held(buffer, prompt) == [(payload, oracle.uses[payload]) for payload in oracle.of(prompt)]
            assert buffer.available(prompt) == len(oracle.of(prompt))


def test_the_positives_of_easy_prompts_do_not_push_out_those_of_hard_ones():
    buffer = ReplayBuffer(LIMIT, memory=100 * (1000 + OVERHEAD))
    for i in range(50):
        buffer.add(f"hard{i}", [Rollout(1.0, Payload((i,), 1000))], chance=0.8)
    for i in range(5000):
        buffer.add(f"easy{i}", [Rollout(1.0, Payload((i,), 1000))], chance=1e-6)
    assert all(buffer.available(f"hard{i}") == 1 for i in range(50))
    assert len(buffer) == 100 and buffer.evicted == 4950


def test_what_goes_does_not_depend_on_the_length_of_the_rollouts():
    """Else replay would prefer short answers: of one prompt always the oldest goes."""
    for sizes in ([100, 5000, 100], [5000, 100, 100]):
        buffer = ReplayBuffer(LIMIT, memory=5250 + 3 * OVERHEAD - 60)
        for i, size in enumerate(sizes):
            buffer.add("a", [Rollout(1.0, Payload((i,), size))])
        assert [payload.name for payload, _ in held(buffer, "a")] == [(1,), (2,)]


def test_the_queue_does_not_grow_with_visits():
    buffer, sizes = ReplayBuffer(LIMIT, per_prompt=1), []
    for i in range(20_000):
        buffer.add(f"p{i % 100}", [Rollout(1.0, Payload((i,), 10))], chance=(i % 97) / 97)
        if i in (999, 19_999):
            sizes.append(len(pickle.dumps(buffer)))
    assert sizes[1] < 1.5 * sizes[0]


def test_a_payload_that_the_host_cannot_keep_is_not_stored():
    buffer = ReplayBuffer(LIMIT, pack=lambda payload: None if payload == "pixels" else payload)
    buffer.add("a", [Rollout(1.0, "pixels"), Rollout(1.0, "text")])
    assert [payload for payload, _ in held(buffer, "a")] == ["text"]


def test_taking_more_than_there_is_changes_nothing():
    buffer = ReplayBuffer(limit=1)
    buffer.add("a", [Rollout(1.0)])
    before = copy.deepcopy(buffer.state_dict())
    with pytest.raises(ValueError):
        buffer.take("a", 2, random.Random(0))
    assert buffer.state_dict() == before


def test_a_lower_bound_after_a_resume_holds():
    buffer = ReplayBuffer(LIMIT)
    for name in "abc":
        buffer.add(name, [Rollout(1.0, Payload((name,), 1000))], chance={"a": 0.5, "b": 0.1, "c": 0.9}[name])
    again = ReplayBuffer(LIMIT, memory=2 * (1000 + OVERHEAD))
    again.load_state_dict(buffer.state_dict())
    assert [name for name in "abc" if again.available(name)] == ["a", "c"]
