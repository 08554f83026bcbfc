"""`openrlhf-unlearn patch`: our changes to the installed OpenRLHF, recorded, reversible, refused where unknown.

    patch apply     the new file openrlhf/cli/train_ppo.py, and the mechanical rewrite (openrlhf_unlearn/cpu/rewrite.py)
    patch status    which files are changed
    patch revert    the original bytes again

The originals and a record with every file's checksums lie in `openrlhf/.unlearn_patch/`. patches/README.md says what
each change is for.
"""

import argparse
import hashlib
import importlib.util
import shutil
from pathlib import Path

from openrlhf_unlearn.cpu.rewrite import rewrite
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.run_dir import atomic_path, read_json, write_json
from openrlhf_unlearn.training.hooks import TESTED_HOSTS, host_version

LAUNCHER = "cli/train_ppo.py"
LAUNCHER_TEXT = '''"""train_ppo_ray with `--plugin NAME`; `openrlhf-unlearn patch` adds and removes this file."""

import sys

from openrlhf_unlearn.launcher import main

if __name__ == "__main__":
    sys.exit(main())
'''


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def host_folder() -> Path:
    """The installed openrlhf package's folder. Raises UserError if there is none."""
    spec = importlib.util.find_spec("openrlhf")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("openrlhf is not installed; install openrlhf==0.11.2, or see README")
    return Path(next(iter(spec.submodule_search_locations)))


class Patch:
    """The changes to one OpenRLHF folder."""

    def __init__(self, folder: Path | None = None):
        self.folder = folder or host_folder()
        self.store = self.folder / ".unlearn_patch"
        self.record_file = self.store / "record.json"

    @property
    def record(self) -> dict | None:
        return read_json(self.record_file) if self.record_file.exists() else None

    def _write(self, name: str, data: bytes) -> None:
        with atomic_path(self.folder / name) as aside:
            aside.write_bytes(data)

    def planned(self) -> dict[str, bytes]:
        """The new content of every file that changes, from the original files."""
        plan = {LAUNCHER: LAUNCHER_TEXT.encode()}
        for path in sorted(self.folder.rglob("*.py")):
            name = path.relative_to(self.folder).as_posix()
            if name == LAUNCHER or name.startswith(self.store.name):
                continue
            text = path.read_bytes()
            changed = rewrite(text.decode()).encode()
            if changed != text:
                plan[name] = changed
        return plan

    def state(self) -> dict[str, str]:
        """Each recorded file: 'patched', 'original' or 'edited' (neither). Empty if nothing was ever applied."""
        found = {}
        for name, sums in (self.record or {"files": {}})["files"].items():
            path = self.folder / name
            digest = _digest(path.read_bytes()) if path.exists() else None
            known = {sums["patched"]: "patched", sums["original"]: "original"}
            found[name] = known.get(digest, "edited")
        return found

    def apply(self, version: str) -> int:
        """Patch; returns how many files were written (0: it was all there). Raises UserError if it cannot be sure."""
        if version not in TESTED_HOSTS:
            raise UserError(f"OpenRLHF {version} is unknown to this patch (known: {', '.join(TESTED_HOSTS)})")
        if self.record:
            return self._apply_again(version)
        plan = self.planned()
        if (self.folder / LAUNCHER).exists():
            raise UserError(f"{self.folder / LAUNCHER} is there already and not ours; remove it first")
        files = {}
        for name, changed in plan.items():
            path = self.folder / name
            original = path.read_bytes() if path.exists() else None
            if original is not None:
                with atomic_path(self.store / name) as aside:
                    aside.write_bytes(original)
            files[name] = {"original": original and _digest(original), "patched": _digest(changed)}
        write_json(self.record_file, {"version": version, "files": files})
        for name, changed in plan.items():
            self._write(name, changed)
        return len(plan)

    def _apply_again(self, version: str) -> int:
        """After an interrupted apply, an update of this package, or for nothing: bring every file to today's patch."""
        states = self.state()
        edited = [name for name, state in states.items() if state == "edited"]
        if edited or self.record["version"] != version:
            if all((self.store / name).exists() or name == LAUNCHER for name in states) and not edited:
                edited = ["another version's record"]
            raise UserError(
                f"{self.folder}: changed since the patch ({', '.join(edited)}); reinstall openrlhf=={version} and "
                f"delete {self.store}"
            )
        current = {name: (self.folder / name).read_bytes() for name, state in states.items() if state == "patched"}
        self.revert()
        self.apply(version)
        return sum((self.folder / name).read_bytes() != current.get(name) for name in self.record["files"])

    def revert(self) -> int:
        """Restore the original bytes; returns how many files. Files edited since are refused, none is touched then."""
        states = self.state()
        edited = [name for name, state in states.items() if state == "edited"]
        if edited:
            raise UserError(f"edited since the patch: {', '.join(edited)}; reinstall openrlhf instead")
        for name in states:
            original = self.store / name
            if original.exists():
                self._write(name, original.read_bytes())
            else:
                (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.store, ignore_errors=True)
        return len(states)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["status", "apply", "revert"], help="what to do with the installed OpenRLHF")


def run(args: argparse.Namespace) -> int:
    patch, version = Patch(), host_version()
    if args.action == "apply":
        written = patch.apply(version)
        print(f"openrlhf {version} in {patch.folder}: {written} files written" if written else "already applied")
    elif args.action == "revert":
        print(f"openrlhf {version} in {patch.folder}: {patch.revert()} files restored")
    else:
        states = patch.state()
        for name, state in states.items():
            print(f"{state:9} {name}")
        print(f"openrlhf {version} in {patch.folder}: {'patched' if states else 'not patched'}")
    return 0
