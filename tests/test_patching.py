"""The patch on a copy of the installed OpenRLHF's originals."""

import shutil

import pytest

from openrlhf_unlearn import patching
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.patching import LAUNCHER, Patch, host_folder

VERSION = "0.11.2"


def content(folder):
    files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def host(tmp_path):
    """A copy of the installed host with its own original bytes, whether or not it is patched just now."""
    folder = tmp_path / "openrlhf"
    shutil.copytree(host_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    if Patch(folder).record:
        Patch(folder).revert()
    return folder


def test_apply_is_complete_idempotent_and_reverts_to_identical_bytes(host):
    before, patch = content(host), Patch(host)
    assert patch.apply(VERSION) == len(patch.state()) > 5
    assert set(patch.state().values()) == {"patched"} and LAUNCHER in patch.state()
    patched = content(host)
    assert patch.apply(VERSION) == 0
    assert content(host) == patched
    assert patch.revert() == len(patch.planned())
    assert content(host) == before
    assert patch.revert() == 0


def test_an_interrupted_apply_is_finished_by_the_next(host):
    before, patch = content(host), Patch(host)
    patch.apply(VERSION)
    name = "utils/distributed_util.py"
    (host / name).write_bytes(before[name])  # as if it had been stopped before this file
    assert patch.state()[name] == "original"
    assert patch.apply(VERSION) == 1
    assert set(patch.state().values()) == {"patched"}


def test_an_edited_file_is_neither_patched_over_nor_reverted(host):
    patch = Patch(host)
    patch.apply(VERSION)
    edited = host / "utils/distributed_util.py"
    edited.write_text(edited.read_text() + "# mine\n")
    for action in (patch.revert, lambda: patch.apply(VERSION)):
        with pytest.raises(UserError, match="utils/distributed_util.py"):
            action()
    assert edited.read_text().endswith("# mine\n")


def test_an_unknown_version_or_a_foreign_launcher_is_refused(host):
    with pytest.raises(UserError, match="9.9.9 is unknown"):
        Patch(host).apply("9.9.9")
    (host / LAUNCHER).write_text("# of someone else")
    with pytest.raises(UserError, match="not ours"):
        Patch(host).apply(VERSION)
    assert not Patch(host).store.exists()


def test_without_a_host_there_is_one_line(monkeypatch):
    monkeypatch.setattr(patching.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="openrlhf is not installed"):
        host_folder()
