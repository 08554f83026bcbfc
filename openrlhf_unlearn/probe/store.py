"""Gradients on disk: a part for every few prompts, which a killed probe goes on from, then one file of them all.

Both are safetensors. Tensors are named CLASS.ARRAY (`correct.mean`, see `Gradients`), the prompts' ids are in the
metadata as JSON under CLASS.ids. Neither writing nor reading needs the file in memory.
"""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.masking import masked
from openrlhf_unlearn.probe.gradient_summary import ARRAYS, Gradients
from openrlhf_unlearn.store.run_dir import RunDir, atomic_path, read_object, write_json

_DTYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32}
_EAGER = ("counts", "norms2", "dots", "distinct")


class Parts:
    """The parts of one probe under way. Raises UserError where they are of other settings."""

    def __init__(self, run: RunDir, tag: str, settings: dict):
        self.folder, self.settings = run.probe_parts(tag), settings
        self.state = self.folder / "settings.json"
        if self.state.exists():
            fix = "bring the same, or delete that folder to start anew"
            check_same(read_object(self.state), settings, self.folder, fix)

    def path(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}.safetensors"

    def write(self, number: int, gradients: dict[str, Gradients], facts: dict) -> None:
        """facts: JSON values about the part, kept in its metadata."""
        if not self.state.exists():
            write_json(self.state, self.settings)
        tensors = {f"{kind}.{name}": getattr(g, name) for kind, g in gradients.items() for name in ARRAYS}
        tensors |= {f"{kind}.states": g.states for kind, g in gradients.items() if g.states.size}
        metadata = {f"{kind}.ids": json.dumps(g.ids) for kind, g in gradients.items()}
        with atomic_path(self.path(number)) as aside:
            try:
                save_file(tensors, aside, {**metadata, "facts": json.dumps(facts)})
            except SafetensorError as error:  # a full disk, say
                raise OSError(str(error)) from error

    def facts(self, numbers: Sequence[int]) -> list[dict]:
        return [json.loads(_metadata(self.path(number))["facts"]) for number in numbers]


def check_same(before: dict, now: dict, where: Path, fix: str) -> None:
    """Raise UserError with the first setting that differs from those that `where` was made with."""
    before, now = masked(before), masked(now)
    for name in now:
        if before.get(name) != now[name]:
            raise UserError(f"{where} was made with {name} {before.get(name)!r}, not {now[name]!r}; {fix}")


def merge(paths: Sequence[Path], target: Path, facts: dict) -> None:
    """Write the parts as one file, a tensor at a time; prompts in the parts' order."""
    shapes: dict[str, list[tuple[Path, str, tuple]]] = {}
    metadata: dict[str, list] = {}
    for path in paths:
        with safe_open(path, "np") as part:
            for name in part.keys():  # noqa: SIM118 - it is no dict
                shapes.setdefault(name, []).append(
                    (path, part.get_slice(name).get_dtype(), part.get_slice(name).get_shape())
                )
            for name, value in part.metadata().items():
                if name != "facts":
                    metadata[name] = metadata.get(name, []) + json.loads(value)
    header: dict = {
        "__metadata__": {**{k: json.dumps(v) for k, v in metadata.items()}, "facts": json.dumps(masked(facts))}
    }
    start = 0
    for name in sorted(shapes):
        _, dtype, shape = shapes[name][0]
        whole = [sum(s[0] for *_, s in shapes[name]), *shape[1:]]
        end = start + int(np.prod(whole)) * np.dtype(_DTYPES[dtype]).itemsize
        header[name] = {"dtype": dtype, "shape": whole, "data_offsets": [start, end]}
        start = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(target) as aside, open(aside, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(shapes):
            for path, *_ in shapes[name]:
                with safe_open(path, "np") as part:
                    file.write(part.get_tensor(name).tobytes())


def load(path: Path) -> tuple[dict[str, Gradients], dict]:
    """(Gradients by class, facts) of a merged file; means, sketches and states are read as they are asked for.

    Raises UserError if there is none, or it is cut off or of an older version.
    """
    try:
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(min(size, path.stat().st_size)))
        metadata = header.pop("__metadata__")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; make it with openrlhf-unlearn probe") from None
    except (AttributeError, KeyError, TypeError, ValueError, struct.error) as error:
        raise UserError(f"{path} cannot be read ({error}); delete it and probe again") from None
    arrays = {name: Rows(path, 8 + size, entry) for name, entry in header.items()}
    kinds = sorted({name.split(".")[0] for name in header})
    found = {}
    if missing := {f"{kind}.{name}" for kind in kinds for name in ARRAYS} - set(arrays):
        raise UserError(f"{path} lacks {min(missing)}: an older version made it; delete its folder and probe again")
    for kind in kinds:
        own: dict[str, Any] = {name: arrays[f"{kind}.{name}"] for name in ARRAYS}
        own |= {name: own[name][:] for name in _EAGER}
        if (states := arrays.get(f"{kind}.states")) is not None:
            own["states"] = states
        found[kind] = Gradients(json.loads(metadata[f"{kind}.ids"]), **own)
    return found, json.loads(metadata["facts"])


def _metadata(path: Path) -> dict:
    with safe_open(path, "np") as part:
        return part.metadata()


class Rows:
    """An array in a file; `rows[a:b]` reads those rows, so that memory holds no more than is asked for."""

    def __init__(self, path: Path, base: int, entry: dict):
        self.path, self.start, self.shape = path, base + entry["data_offsets"][0], tuple(entry["shape"])
        self.dtype = np.dtype(_DTYPES[entry["dtype"]])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        width = int(np.prod(self.shape[1:], dtype=int))
        count = max(0, stop - start) * width
        offset = self.start + start * width * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, count, offset=offset).reshape(-1, *self.shape[1:])
