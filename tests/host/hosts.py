"""The OpenRLHF versions that we support, unpacked beside the installed one, to test each in a process of its own.

OPENRLHF_UNLEARN_HOSTS names a folder with one folder a version; without it they are downloaded once, without their
requirements (0.2 MB each), into the user's cache. What cannot be had is skipped, and the skip says why.
"""

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from openrlhf_unlearn.host.patching import Patch


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openrlhf-unlearn" / "hosts"


@lru_cache
def unpacked(version: str) -> Path:
    """A folder to put on PYTHONPATH, with the package and its metadata as the wheel has them."""
    folder = Path(os.environ.get("OPENRLHF_UNLEARN_HOSTS") or _cache()) / version
    if not (folder / "openrlhf").is_dir():
        if "OPENRLHF_UNLEARN_HOSTS" in os.environ:
            pytest.skip(f"OPENRLHF_UNLEARN_HOSTS has no {version}/openrlhf")
        _download(version, folder)
    return folder


def _download(version: str, folder: Path) -> None:
    aside = folder.with_name(f"{version}.{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-compile", "--target", aside]
    done = subprocess.run([*command, f"openrlhf=={version}"], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(aside, ignore_errors=True)
        pytest.skip(
            f"openrlhf {version} cannot be downloaded: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}"
        )
    aside.replace(folder)


def patched(version: str, folder: Path) -> Path:
    """A copy with our changes in it, to put on PYTHONPATH."""
    shutil.copytree(unpacked(version), folder)
    Patch(folder / "openrlhf", version).apply()
    return folder


def python(path: Path, code: str, *words) -> subprocess.CompletedProcess:
    """Run `code` where `path` comes before what is installed."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)
