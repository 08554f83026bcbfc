"""A run directory as one small file, and back. After the built-in world has changed, record its run anew:

    bash examples/quickstart.sh && python -m openrlhf_unlearn.demo.recording quickstart/run

What can be computed again is left out: labels, summary, report, and the gradients behind the probe's tables. The
steps of a table are one member, because a Parquet file has more than it holds.
"""

import json
import sys
import zipfile
from pathlib import Path

from openrlhf_unlearn.demo import RECORDING
from openrlhf_unlearn.store.parquet import packed, packed_file, read_packed
from openrlhf_unlearn.store.run_dir import RunDir, atomic_folder, atomic_path, read_json, write_json
from openrlhf_unlearn.store.training import STEP_KINDS

_THEN = (2026, 1, 1, 0, 0, 0)  # the same run gives the same bytes


def pack(run: RunDir, path: Path, origin: str) -> None:
    """Write the recording of a finished run; the demo says its `origin`."""
    members = {
        run.run_json.name: _without_places(run, run.config().changed(recorded=origin).values),
        run.prompts.name: packed_file(run.prompts),
    }
    for kind in STEP_KINDS:
        if run.steps(kind.folder):
            members[f"{kind.folder}.parquet"] = packed(kind.read(run).arrow)
    for folder in (run.evaluations, run.probes):
        for file in sorted(folder.rglob("*.*")):
            name = file.relative_to(run.path).as_posix()
            if file.suffix == ".parquet":
                members[name] = packed_file(file)
            elif file.suffix == ".json":
                members[name] = _without_places(run, read_json(file))
    with atomic_path(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _THEN), data, zipfile.ZIP_DEFLATED)


def _without_places(run: RunDir, document: dict) -> bytes:
    """A JSON document with no path of the machine that recorded it."""
    root = Path(__file__).parents[2]
    text = json.dumps(document)
    for place, name in (
        (run.path.absolute().parent, "quickstart"),
        (Path(sys.executable), "python"),
        (root, "openrlhf-unlearn"),
    ):
        text = text.replace(json.dumps(str(place))[1:-1], name)
    return text.encode()


def unpack(path: Path, folder: Path) -> RunDir:
    """The run directory of a recording at `folder`, which appears whole or not at all."""
    with atomic_folder(folder) as aside:
        _write(path, RunDir(aside))
    return RunDir(folder)


def _write(path: Path, run: RunDir) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            kind = next((kind for kind in STEP_KINDS if name == f"{kind.folder}.parquet"), None)
            if kind:
                table = kind(read_packed(data))
                for step in dict.fromkeys(table.step.tolist()):
                    table.filter(table.step == step).write(run, step)
            elif name == run.run_json.name:
                write_json(run.run_json, json.loads(data))
            else:
                with atomic_path(run.path / name) as aside:
                    aside.write_bytes(data)


if __name__ == "__main__":
    recorded = RunDir.open(sys.argv[1])
    host = recorded.config().versions["openrlhf"]
    pack(recorded, RECORDING, f"examples/quickstart.sh, recorded with OpenRLHF {host}")
    print(f"{RECORDING}: {RECORDING.stat().st_size / 1e6:.2f} MB")
