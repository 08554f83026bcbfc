"""The generator's state as a file: JSON for the tree, plain arrays for tensors and rollouts; nothing is pickled.

A state file is a zip archive: `state.json` holds version, run, step and the tree; the other members are `.npy` arrays,
so NumPy's `load` reads them (`allow_pickle` stays off). All packed rollouts share five long columns, written and read
rollout by rollout, so that no second copy of them is ever in memory.
"""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from openrlhf.trainer.ppo_utils.experience import Experience

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.filters import Rollout
from openrlhf_unlearn.host.training.packing import Answer, HeldGroup, PackedRollout, made, narrow, pack
from openrlhf_unlearn.store.run_dir import atomic_path

VERSION = 2  # 1 was a pickle in the host's own state
ALLOWED = "None, bool, int, float, str, list, tuple, set, dict, NumPy arrays, tensors and Rollouts"


_ROLLOUT = [field.name for field in fields(Rollout)]  # in their order: what is added later has a default


class StateTypeError(UserError):
    """A state holds what cannot be written. Its text says where and what, in one line."""


class _Encoder:
    """Turns a state into what JSON can hold; arrays and rollouts are put aside."""

    def __init__(self):
        self.arrays: list[np.ndarray] = []
        self.rollouts: list[PackedRollout] = []

    def encode(self, value, where: tuple = ()):
        """`where`: (where of the container, key in it), from the root ()."""
        kind = type(value)  # exactly: a subclass would come back as something else
        if value is None or kind in (bool, int, float, str):
            return value
        if isinstance(value, np.generic):
            return self.encode(value.item(), where)
        if kind is list:
            return [self.encode(item, (where, i)) for i, item in enumerate(value)]
        if kind is dict:
            if all(type(key) is str and not key.startswith("$") for key in value):
                return {key: self.encode(item, (where, key)) for key, item in value.items()}
            return {
                "$dict": [[self.encode(key, where), self.encode(item, (where, key))] for key, item in value.items()]
            }
        if kind is tuple:
            return {"$tuple": self.encode(list(value), where)}
        if kind is set:
            return {"$set": self.encode(sorted(value, key=repr), where)}
        if kind is np.ndarray and value.dtype.kind in "biuf":
            return {"$array": self._put(value)}
        if isinstance(value, torch.Tensor):
            return self._tensor(value.detach().cpu())
        if kind is Rollout:
            return {"$rollout": [self.encode(getattr(value, name), where) for name in _ROLLOUT]}
        if isinstance(value, (Answer, Experience)):
            value = pack(made(value))
        if isinstance(value, PackedRollout):
            self.rollouts.append(value)
            return {"$packed": len(self.rollouts) - 1}
        if kind is HeldGroup:
            return {"$group": [self.encode(item, where) for item in (value.prompt_id, value.rollouts, value.inputs)]}
        raise StateTypeError(f"{_path(where)} is of type {kind.__name__}; a state may hold {ALLOWED}")

    def _put(self, array: np.ndarray) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1

    def _tensor(self, tensor: torch.Tensor) -> dict:
        name = str(tensor.dtype).removeprefix("torch.")
        bits = tensor.contiguous().view(torch.int16) if name == "bfloat16" else tensor  # NumPy has no bfloat16
        return {"$tensor": [self._put(bits.numpy()), name]}


def _path(where: tuple) -> str:
    return f"{_path(where[0])}[{where[1]!r}]" if where else "state"


def _decode(node: Any, arrays: list[np.ndarray], rollouts: list[PackedRollout]) -> Any:
    if isinstance(node, list):
        return [_decode(item, arrays, rollouts) for item in node]
    if not isinstance(node, dict):
        return node
    key = next(iter(node)) if len(node) == 1 else ""
    if not key.startswith("$"):
        return {name: _decode(item, arrays, rollouts) for name, item in node.items()}
    value = node[key]
    if key == "$packed":
        return rollouts[value]
    if key == "$array":
        return arrays[value]
    if key == "$tensor":
        tensor = torch.from_numpy(arrays[value[0]])
        return tensor.view(torch.bfloat16) if value[1] == "bfloat16" else tensor
    items = _decode(value, arrays, rollouts)
    return _MADE[key](items)


_MADE = {
    "$tuple": tuple,
    "$set": set,
    "$dict": dict,
    "$rollout": lambda items: Rollout(*items),
    "$group": lambda items: HeldGroup(*items),
}


def check_state(state) -> None:
    """StateTypeError if the state could not be written."""
    _Encoder().encode(state)


# The file ------------------------------------------------------------------------------------------------------------


@dataclass
class _Column:
    """One array of all rollouts end to end."""

    name: str
    dtype: type
    pieces: list[np.ndarray]


def _columns(rollouts: list[PackedRollout]) -> list[_Column]:
    none = np.empty(0, np.float32)
    return [
        _Column("tokens", np.uint32, [r.tokens for r in rollouts]),
        _Column("log_probs", np.float32, [none if r.log_probs is None else r.log_probs for r in rollouts]),
        _Column("spans", np.int32, [r.spans for r in rollouts]),
        _Column("numbers", np.float64, [r.numbers for r in rollouts]),
    ]


def write_state(path: Path, state, step: int, run_id: str | None = None) -> None:
    """Write the file whole or not at all. UserError if the disk is full, StateTypeError if the state is not allowed."""
    encoder = _Encoder()
    tree = encoder.encode(state)
    rollouts = encoder.rollouts
    columns = _columns(rollouts)
    names = list(dict.fromkeys(rollout.names for rollout in rollouts))
    number = {name: i for i, name in enumerate(names)}
    about = {
        "version": VERSION,
        "run_id": run_id,
        "step": step,
        "arrays": len(encoder.arrays),
        "names": names,
        "state": tree,
    }
    with atomic_path(path) as aside, zipfile.ZipFile(aside, "w") as archive:
        archive.writestr("state.json", json.dumps(about))
        for i, array in enumerate(encoder.arrays):
            _write_array(archive, f"array-{i}", array.dtype, array.shape, [array])
        index = np.array([[number[r.names], r.log_probs is not None] for r in rollouts], np.int32).reshape(-1, 2)
        sizes = np.array([[len(c.pieces[i]) for c in columns] for i in range(len(rollouts))], np.int64)
        _write_array(archive, "rollouts", index.dtype, index.shape, [index])
        _write_array(archive, "sizes", sizes.dtype, (len(rollouts), len(columns)), [sizes])
        for column in columns:
            _write_array(archive, column.name, column.dtype, (sum(map(len, column.pieces)),), column.pieces)


def _write_array(archive: zipfile.ZipFile, name: str, dtype, shape: tuple, pieces: list[np.ndarray]) -> None:
    """One .npy member of which `pieces` are the parts in order."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": tuple(shape)}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).tobytes())


def _read_pieces(archive: zipfile.ZipFile, name: str, sizes: list[int]) -> Iterator[np.ndarray]:
    with archive.open(f"{name}.npy") as file:
        np.lib.format.read_magic(file)
        _, _, dtype = np.lib.format.read_array_header_1_0(file)
        for size in sizes:
            yield np.frombuffer(bytearray(file.read(size * dtype.itemsize)), dtype)


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def read_state(path: Path) -> tuple[dict, dict]:
    """The state, and what is written about it (`version`, `run_id`, `step`). UserError if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("state.json"))
            if about["version"] != VERSION:
                raise UserError(
                    f"{path} has version {about['version']}, this plugin reads {VERSION}: go on with that one"
                )
            arrays = [_read_array(archive, f"array-{i}") for i in range(about["arrays"])]
            rollouts = _read_rollouts(archive, about["names"])
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}); it was cut off or is of another kind") from None
    return _decode(about.pop("state"), arrays, rollouts), about


def _read_rollouts(archive: zipfile.ZipFile, names: list) -> list[PackedRollout]:
    names = [tuple((name, dtype, tuple(shape)) for name, dtype, shape in item) for item in names]
    index, sizes = _read_array(archive, "rollouts"), _read_array(archive, "sizes")
    columns = [_read_pieces(archive, column.name, sizes[:, i].tolist()) for i, column in enumerate(_columns([]))]
    return [
        PackedRollout(narrow(tokens), log_probs if has_log_probs else None, spans, names[which], numbers)
        for (which, has_log_probs), tokens, log_probs, spans, numbers in zip(index.tolist(), *columns, strict=True)
    ]
