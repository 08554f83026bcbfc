import copy
import pickle
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.filters import Rollout
from openrlhf_unlearn.filters.replay_buffer import ReplayBuffer

LIMIT, PER_PROMPT = 2, 3
actions = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.booleans()), max_size=30)


class Oracle:
    """One list of everything stored, oldest first."""

    def __init__(self, total):
        self.total, self.stored, self.uses = total, [], Counter()

    def add(self, name, payload):
        self.stored.append((name, payload))
        own = [entry for entry in self.stored if entry[0] == name]
        if len(own) > PER_PROMPT:
            self.stored.remove(own[0])
        if len(self.stored) > self.total:
            del self.stored[0]

    def take(self, name, payloads):
        for payload in payloads:
            self.uses[payload] += 1
            if self.uses[payload] == LIMIT:
                self.stored.remove((name, payload))

    def of(self, name):
        return [payload for owner, payload in self.stored if owner == name]


@given(actions, st.integers(1, 6), st.integers(0, 30))
def test_against_one_plain_list(actions, total, at):
    """First in, first out by prompt and over all; use counts; and a state saved at any moment goes on the same."""
    buffer, oracle = ReplayBuffer(LIMIT, PER_PROMPT, total), Oracle(total)
    for number, (name, n, take) in enumerate(actions):
        if number == at:
            saved, buffer = buffer, ReplayBuffer(LIMIT, PER_PROMPT, total)
            buffer.load_state_dict(pickle.loads(pickle.dumps(saved.state_dict())))
        if take:
            n = min(n, buffer.available(name))
            taken = buffer.take(name, n, random.Random(number))
            payloads = [rollout.payload for rollout in taken]
            assert len(set(payloads)) == n and set(payloads) <= set(oracle.of(name))
            assert all(rollout.replayed for rollout in taken)
            oracle.take(name, payloads)
        else:
            rollouts = [Rollout(1.0, payload=(name, number, i)) for i in range(n)]
            buffer.add(name, rollouts)
            for rollout in rollouts:
                oracle.add(name, rollout.payload)
        assert len(buffer) == len(oracle.stored)
        for prompt in "abc":
            held = [rollout.payload for rollout, _, _ in buffer.state_dict()["stored"].get(prompt, [])]
            assert held == oracle.of(prompt)
            assert buffer.available(prompt) == len(held)


def test_taking_more_than_there_is_changes_nothing():
    buffer = ReplayBuffer(limit=1)
    buffer.add("a", [Rollout(1.0)])
    before = copy.deepcopy(buffer.state_dict())
    with pytest.raises(ValueError):
        buffer.take("a", 2, random.Random(0))
    assert buffer.state_dict() == before
