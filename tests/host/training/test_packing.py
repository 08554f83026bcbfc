"""Packed rollouts: what comes back is what the host made, tensor by tensor, in the memory that is said."""

import tracemalloc
from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from openrlhf_unlearn.filters import Rollout
from openrlhf_unlearn.filters.replay_buffer import ReplayBuffer
from openrlhf_unlearn.host.training.packing import HeldGroup, PackedRollout, pack, packer, unpack
from tests.host.training.rollouts import PROMPT, rollout


def assert_same(one, other, path=""):
    assert type(one) is type(other), path
    if torch.is_tensor(one):
        assert one.dtype == other.dtype and torch.equal(one, other), path
    elif isinstance(one, dict):
        assert list(one) == list(other), path
        for name in one:
            assert_same(one[name], other[name], f"{path}.{name}")
    elif isinstance(one, list):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{path}[{i}]")
    else:
        assert one == other, path


def assert_same_rollout(one, other):
    for field in fields(one):
        assert_same(getattr(one, field.name), getattr(other, field.name), field.name)


@given(
    seed=st.integers(0, 10**6),
    length=st.integers(4, 60),
    vocabulary=st.sampled_from([2, 40, 2**16, 2**16 + 5, 2**31 - 1]),
    log_probs=st.booleans(),
    turns=st.integers(1, 2),
    max_len=st.sampled_from([8, 30, 4096]),
    scores=st.none() | st.floats(0, 1),
    extra=st.dictionaries(st.text(max_size=3), st.booleans() | st.integers(-9, 9) | st.floats(-2, 2), max_size=3),
)
def test_what_was_packed_comes_back_tensor_by_tensor(
    seed, length, vocabulary, log_probs, turns, max_len, scores, extra
):
    made = rollout(
        seed, length, max_len, vocabulary=vocabulary, log_probs=log_probs, turns=turns, scores=scores, extra_logs=extra
    )
    assert_same_rollout(unpack(pack(made), PROMPT), made)


def test_the_host_changes_neither_the_packed_rollout_nor_another_copy_of_it():
    packed = pack(rollout(log_probs=True))
    one = unpack(packed, PROMPT)
    for tensor in (one.sequences, one.rollout_log_probs, one.rewards, one.info["reward"]):
        tensor.zero_()
    assert_same_rollout(unpack(packed, PROMPT), rollout(log_probs=True))


@pytest.mark.parametrize(
    ("vocabulary", "log_probs", "a_token"), [(150_000, True, 8), (150_000, False, 4), (40, False, 2)]
)
def test_the_memory_is_what_is_said(vocabulary, log_probs, a_token):
    """Measured by the allocator, objects included, within a tenth; and the tokens alone within the text's bytes."""
    buffer = ReplayBuffer(limit=2, pack=pack)
    fresh = [rollout(i, 600, vocabulary=vocabulary, log_probs=log_probs) for i in range(50)]
    pack(fresh[0])
    tracemalloc.start()
    for i, payload in enumerate(fresh):
        buffer.add(f"prompt {i}", [Rollout(1.0, payload)])
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.9 < buffer.nbytes / used < 1.25
    assert pack(rollout(0, 5115, 10**4, vocabulary=vocabulary, log_probs=log_probs)).nbytes < a_token * 5120 + 1100


PIXELS = {"pixel_values": torch.ones(4, 3), "image_grid_thw": torch.tensor([[1, 2, 2]])}


def test_pixels_are_not_stored_and_a_replayed_rollout_gets_those_of_the_fresh_ones_beside_it():
    fresh = rollout(1, inputs=PIXELS)
    packed = packer(agent=False)(rollout(2, inputs=PIXELS))
    assert not hasattr(packed, "mm_train_inputs") and packed.nbytes < 2000
    group = HeldGroup("p", (Rollout(1.0, packed, replayed=True), Rollout(0.0, fresh)))
    replayed, sampled = group.experiences(PROMPT)
    assert_same_rollout(replayed, rollout(2, inputs=PIXELS))
    assert_same_rollout(sampled, fresh)
    assert sampled is not fresh


def test_a_rollout_whose_pixels_are_its_own_is_not_replayed():
    keep = packer(agent=True)
    assert keep(rollout(1, inputs=PIXELS)) is None
    assert isinstance(keep(rollout(1)), PackedRollout)
    other = {**PIXELS, "pixel_values": torch.zeros(9, 3)}
    group = HeldGroup("p", tuple(Rollout(0.0, rollout(i, inputs=own)) for i, own in enumerate((PIXELS, other))))
    assert group.inputs == [PIXELS, other]
