"""`openrlhf-unlearn patch`: our changes to the installed OpenRLHF, recorded, reversible, refused where unknown.

    patch apply     the new file openrlhf/cli/train_ppo.py, and the mechanical rewrite (host/cpu/rewrite.py)
    patch status    which files are changed
    patch revert    the original bytes again

The originals and a record of every file's checksums lie in `openrlhf/.unlearn_patch/`. patches/README.md says what
each change is for. A file is written only if it is, byte for byte, OpenRLHF's own or one that we wrote, and restored
only from bytes that are OpenRLHF's own. Two commands at once take turns.
"""

import contextlib
import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host.cpu.originals import ORIGINALS
from openrlhf_unlearn.host.cpu.rewrite import rewrite
from openrlhf_unlearn.host.hooks import host_folder, host_version
from openrlhf_unlearn.options import Options, option
from openrlhf_unlearn.store.run_dir import atomic_path, read_json, write_json

LAUNCHER = "cli/train_ppo.py"
LAUNCHER_TEXT = '''"""train_ppo_ray with `--plugin NAME`; `openrlhf-unlearn patch` adds and removes this file."""

import sys

from openrlhf_unlearn.host.launcher import main

if __name__ == "__main__":
    sys.exit(main())
'''


def _digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(path: Path) -> str | None:
    return _digest_of(path.read_bytes()) if path.exists() else None


class Patch:
    """The changes to one OpenRLHF folder.

    A file's state is one of: 'original'; 'patched' (as this package writes it); 'outdated' (as an earlier version of
    this package wrote it); 'edited' (neither: not ours to touch); 'missing'. For the launcher, which is ours alone,
    not being there is 'original'.
    """

    def __init__(self, folder: Path | None = None, version: str | None = None):
        self.folder = folder or host_folder()
        self.version = version or host_version()
        self.originals: dict[str, str | None] = {LAUNCHER: None, **ORIGINALS.get(self.version, {})}
        self.store = self.folder / ".unlearn_patch"
        self.record_file = self.store / "record.json"

    def refuse_unknown(self) -> None:
        if self.version not in ORIGINALS:
            raise UserError(
                f"OpenRLHF {self.version} is unknown to this patch; install one of {', '.join(ORIGINALS)}, or train on "
                "a GPU without it: openrlhf-unlearn train"
            )

    def record(self) -> dict:
        """{'version': OpenRLHF's, 'written': {file: [sums of what we wrote there, the newest last]}}."""
        return read_json(self.record_file) if self.record_file.exists() else {"version": self.version, "written": {}}

    def planned(self) -> dict[str, bytes]:
        """What this package writes into each file whose original bytes are at hand, in place or stored."""
        plan = {LAUNCHER: LAUNCHER_TEXT.encode()}
        for name, original in self.originals.items():
            path = next(
                (p for p in (self.folder / name, self.store / name) if original and _digest(p) == original), None
            )
            if path:
                plan[name] = rewrite(path.read_bytes().decode()).encode()
        return plan

    def states(self, plan: dict[str, bytes] | None = None) -> dict[str, str]:
        """Each file's state, of all that the patch of this OpenRLHF version is about."""
        plan, written = plan or self.planned(), self.record()["written"]
        return {name: self._state(name, plan.get(name), written.get(name, [])) for name in self.originals}

    def _state(self, name: str, planned: bytes | None, written: list[str]) -> str:
        digest = _digest(self.folder / name)
        if digest == self.originals[name]:
            return "original"
        if digest is None:
            return "missing"
        if planned is not None and digest == _digest_of(planned):
            return "patched"
        return "outdated" if digest in written else "edited"

    def apply(self) -> int:
        """Patch; returns how many files were written (0: it was all there). Raises UserError if it cannot be sure.

        Killed at any moment, the next apply or revert goes on from there: originals are stored first, then the record
        tells what may be found, then each file is replaced as a whole.
        """
        self.refuse_unknown()
        with self._alone():
            plan, record = self.planned(), self.record()
            states = self.states(plan)
            self._refuse([name for name, state in states.items() if state in ("edited", "missing")])
            self._refuse_lost([name for name in states if name not in plan])
            todo = [name for name, state in states.items() if state != "patched"]
            if not todo:
                return 0
            self._refuse_read_only()
            for name in todo:
                if states[name] == "original" and name != LAUNCHER:
                    self._write(self.store / name, self._original(self.folder, name, self.originals[name]))
            written = record["written"]
            for name, data in plan.items():
                written[name] = list(dict.fromkeys([*written.get(name, []), _digest_of(data)]))
            write_json(self.record_file, {"version": self.version, "written": written})
            for name in todo:
                self._write(self.folder / name, plan[name])
            return len(todo)

    def revert(self) -> int:
        """Restore the original bytes; returns how many files. A file edited since is refused, and none is touched.

        Driven by the record: after an upgrade of OpenRLHF, which put its own files in place of ours, what we added
        goes and the new files stay.
        """
        if not self.store.exists():
            return 0
        with self._alone():
            record = self.record()
            if record["version"] == self.version:
                self._refuse([name for name, state in self.states().items() if state == "edited"])
            ours = [name for name, sums in record["written"].items() if _digest(self.folder / name) in sums]
            sums = ORIGINALS.get(record["version"], {})
            restored = {name: self._original(self.store, name, sums.get(name)) for name in ours if name != LAUNCHER}
            self._refuse_read_only()
            for name, data in restored.items():
                self._write(self.folder / name, data)
            if LAUNCHER in ours:
                (self.folder / LAUNCHER).unlink()
            shutil.rmtree(self.store, ignore_errors=True)  # another revert may have been first
            return len(ours)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other process patches this OpenRLHF. A file of its own, never replaced, is what is locked."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # read-only folders and file systems without locks: checksums still hold
                marker = stack.enter_context((self.folder / "__init__.py").open("r+b"))
                fcntl.flock(marker, fcntl.LOCK_EX)
            yield

    def _original(self, folder: Path, name: str, wanted: str | None) -> bytes:
        """The bytes of a file in `folder`, which must be OpenRLHF's own. Raises UserError if they are not."""
        data = (folder / name).read_bytes() if (folder / name).exists() else b""
        if _digest_of(data) != wanted:
            self._refuse_lost([name])
        return data

    def _write(self, path: Path, data: bytes) -> None:
        with atomic_path(path) as aside:
            aside.write_bytes(data)

    def _refuse(self, names: list[str]) -> None:
        if names:
            raise UserError(
                f"neither OpenRLHF {self.version}'s own nor ours: {', '.join(names)} in {self.folder}; "
                f"delete them, then pip install --no-deps --force-reinstall openrlhf=={self.version}"
            )

    def _refuse_lost(self, names: list[str]) -> None:
        if names:
            raise UserError(
                f"the originals of {', '.join(names)} in {self.folder} are not there or not OpenRLHF's; nothing was "
                f"changed; delete {self.store}, then pip install --no-deps --force-reinstall openrlhf=={self.version}"
            )

    def _refuse_read_only(self) -> None:
        try:
            tempfile.TemporaryFile(dir=self.folder).close()
        except OSError as error:
            raise UserError(
                f"cannot write to {self.folder} ({error.strerror}); patch as the environment's owner, or in a virtual "
                "environment of your own"
            ) from error


@dataclass(frozen=True)
class PatchOptions(Options):
    """What to do."""

    action: str = option(
        "what to do with the installed OpenRLHF", positional=True, choices=["status", "apply", "revert"]
    )


OPTIONS = PatchOptions


def run(options: PatchOptions) -> None:
    patch = Patch()
    where = f"openrlhf {patch.version} in {patch.folder}"
    if options.action == "apply":
        count = patch.apply()
        print(f"{where}: {count} files written" if count else f"{where}: already applied")
    elif options.action == "revert":
        print(f"{where}: {patch.revert()} files restored")
    else:
        patch.refuse_unknown()
        states = patch.states()
        for name, state in states.items():
            print(f"{state:9} {name}")
        print(f"{where}: {'patched' if set(states.values()) == {'patched'} else 'not patched'}")
