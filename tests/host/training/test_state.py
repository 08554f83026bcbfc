"""The generator's state as a file: at any moment what comes back is what was written; else it is refused in a line."""

import json
import pickletools
import resource
import zipfile
from collections import Counter, OrderedDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import FilterConfig, Group, Rollout, load_filter
from openrlhf_unlearn.host.training.packing import HeldGroup, PackedRollout, pack, packer, unpack
from openrlhf_unlearn.host.training.state import VERSION, check_state, read_state, write_state
from tests.host.training.rollouts import PROMPT, rollout
from tests.host.training.test_packing import PIXELS, assert_same_rollout

leaves = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
keys = leaves | st.tuples(leaves, leaves)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.just("$array"), inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(leaves, max_size=3)
    ),
    max_leaves=12,
)
any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def through_a_file(folder, state):
    path = folder / "state.npz"
    write_state(path, state, step=3)
    return read_state(path)[0]


def typed(value):
    """With the type of everything, so that True is not 1 and a tuple no list."""
    if isinstance(value, dict):
        return "dict", [(typed(key), typed(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [typed(item) for item in value]
    if isinstance(value, set):
        return "set", sorted(map(repr, value))
    return type(value).__name__, value


@any_folder
@given(trees)
def test_any_tree_comes_back(tmp_path, tree):
    assert typed(through_a_file(tmp_path, tree)) == typed(tree)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.uint8])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_tensors_and_arrays_come_back(tmp_path, dtype, shape):
    tensor = (torch.rand(shape) * 3).to(dtype)
    found = through_a_file(tmp_path, {"tensor": tensor, "array": tensor.float().numpy(), "number": np.int64(7)})
    assert found["tensor"].dtype == dtype and torch.equal(found["tensor"], tensor)
    assert np.array_equal(found["array"], tensor.float().numpy()) and found["number"] == 7


@dataclass
class Seen:
    n: int


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Seen(1), "Seen"),
        (Counter("ab"), "Counter"),  # it would come back as a dict, which knows no missing names
        (OrderedDict(a=1), "OrderedDict"),
        (lambda: 0, "function"),
        (b"bytes", "bytes"),
        (np.array([Seen(1)], dtype=object), "ndarray"),
    ],
)
def test_what_cannot_be_written_is_one_line_that_says_where(tmp_path, value, name):
    for check in (check_state, lambda state: write_state(tmp_path / "state.npz", state, 1)):
        with pytest.raises(
            UserError, match=rf"state\['seen'\]\[1\] is of type {name}; a state may hold None, bool"
        ) as caught:
            check({"seen": [0, value]})
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def made(history):
    """A filter that stores what the host makes, after its visits; and one step's groups that wait."""
    mine = load_filter("review+oversample_replay", FilterConfig(k=2, oversample_factor=2, pack=packer(agent=False)))
    waiting = []
    for number, (name, rewards) in enumerate(history):
        rollouts = (Rollout(r, rollout(10 * number + i, 8, log_probs=i % 2 > 0)) for i, r in enumerate(rewards))
        decision = mine.decide(Group(name, tuple(rollouts)))
        if decision.accepted:
            waiting.append(HeldGroup(name, decision.rollouts))
    return mine, waiting


def plain(value):
    """The state with each rollout's tensors as lists, to compare by ==."""
    if isinstance(value, PackedRollout) or hasattr(value, "action_mask"):
        whole = unpack(value, PROMPT) if isinstance(value, PackedRollout) else value
        return [repr(item.tolist()) for item in vars(whole).values() if torch.is_tensor(item)] + [repr(whole.info)]
    if isinstance(value, Rollout):
        return value.reward, value.replayed, plain(value.payload)
    if isinstance(value, HeldGroup):
        return value.prompt_id, plain(list(value.rollouts))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


visits = st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from([0.0, 0.0, 1.0]), min_size=4, max_size=4))


@any_folder
@given(st.lists(visits, max_size=12))
def test_filter_buffer_and_waiting_groups_of_any_moment_come_back(tmp_path, history):
    mine, waiting = made(history)
    state = {"filter": mine.state_dict(), "buffer": waiting}
    found = through_a_file(tmp_path, state)
    assert plain(found) == plain(state)
    again, _ = made([])
    again.load_state_dict(found["filter"])
    dry = [("abc"[i % 3], [0.0] * 4) for i in range(6)]
    for name, rewards in dry:
        group = Group(name, tuple(map(Rollout, rewards)))
        one, other = mine.decide(group), again.decide(group)
        assert (one.accepted, plain(list(one.rollouts))) == (other.accepted, plain(list(other.rollouts)))


def test_waiting_groups_keep_their_pixels_once(tmp_path):
    group = HeldGroup("p", tuple(Rollout(0.0, rollout(i, inputs=PIXELS)) for i in range(2)))
    (found,) = through_a_file(tmp_path, [group])
    assert len(found.inputs) == 1
    for one, other in zip(found.experiences(PROMPT), group.experiences(PROMPT), strict=True):
        assert_same_rollout(one, other)


def test_the_file_is_plain(tmp_path):
    """NumPy opens it without pickle, JSON without us, and no class is named in it."""
    path = tmp_path / "state.npz"
    write_state(path, {"rollouts": [Rollout(1.0, pack(rollout()))], "t": torch.ones(2)}, step=7, run_id="r1")
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["tokens"].shape == (25,) and arrays["array-0"].tolist() == [1.0, 1.0]
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("state.json"))
        assert (about["version"], about["step"], about["run_id"]) == (VERSION, 7, "r1")
        for name in archive.namelist():
            with pytest.raises(ValueError):
                list(pickletools.genops(archive.read(name)))


@pytest.mark.parametrize("keep", [0, 40, -30])
def test_a_file_that_was_cut_off_is_refused_by_its_name(tmp_path, keep):
    path = tmp_path / "state.npz"
    write_state(path, {"rollouts": [Rollout(1.0, pack(rollout()))]}, step=7)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=f"{path} cannot be read"):
        read_state(path)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match="cannot write .*state.npz: File too large; free space") as caught:
            write_state(tmp_path / "state.npz", {"t": torch.zeros(1000)}, step=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("openrlhf_unlearn.host.training.state.VERSION", 99)
    write_state(tmp_path / "state.npz", {}, step=1)
    monkeypatch.undo()
    with pytest.raises(UserError, match="has version 99, this plugin reads 2"):
        read_state(tmp_path / "state.npz")
