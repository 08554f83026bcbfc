"""The patch on a copy of the installed OpenRLHF's originals."""

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host import hooks, patching
from openrlhf_unlearn.host.cpu.originals import ORIGINALS
from openrlhf_unlearn.host.cpu.rewrite import rewrite
from openrlhf_unlearn.host.hooks import TESTED_HOSTS, host_folder, host_version
from openrlhf_unlearn.host.patching import LAUNCHER, Patch

FILE = "utils/distributed_util.py"


def content(folder):
    files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def unpatched(tmp_path_factory):
    """The installed host with its own original bytes, whether or not it is patched just now."""
    folder = tmp_path_factory.mktemp("unpatched") / "openrlhf"
    shutil.copytree(host_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    Patch(folder).revert()
    return folder


@pytest.fixture
def host(unpatched, tmp_path, monkeypatch):
    """A copy of it, of which no file is rewritten twice."""
    monkeypatch.setattr(patching, "rewrite", rewritten)
    return Path(shutil.copytree(unpatched, tmp_path / "openrlhf"))


rewritten = functools.cache(rewrite)


def test_apply_is_complete_idempotent_and_reverts_to_identical_bytes(host):
    before, patch = content(host), Patch(host)
    assert set(patch.states().values()) == {"original"}
    assert patch.apply() == len(ORIGINALS[host_version()]) + 1
    assert set(patch.states().values()) == {"patched"}
    patched = content(host)
    assert patch.apply() == 0
    assert content(host) == patched
    assert patch.revert() == len(patch.originals)
    assert content(host) == before
    assert patch.revert() == 0


def test_the_known_originals_are_all_files_that_the_rewrite_changes(host):
    changed = {
        path.relative_to(host).as_posix()
        for path in host.rglob("*.py")
        if rewrite(path.read_bytes().decode()) != path.read_bytes().decode()
    }
    assert changed == set(ORIGINALS[host_version()])
    assert set(ORIGINALS) == set(TESTED_HOSTS)  # each of them on its own files: tests/host/test_hosts.py


def test_an_interrupted_apply_is_finished_by_the_next_and_undone_by_revert(host, monkeypatch):
    """Stop it before each of its writes in turn: whatever is on disk then, apply completes it, revert restores it."""
    before, write, writes = content(host), Patch._write, []

    def stopping_at(count):
        def stopping(self, path, data):
            if len(writes) == count:
                raise KeyboardInterrupt
            writes.append(path)
            write(self, path, data)

        return stopping

    for count in (0, 5, 11, 12, 17, 22):  # 11 stored originals, then 12 files
        for finish in (Patch.apply, Patch.revert):
            writes.clear()
            with monkeypatch.context() as patched:
                patched.setattr(Patch, "_write", stopping_at(count))
                with pytest.raises(KeyboardInterrupt):
                    Patch(host).apply()
            finish(Patch(host))
            if finish is Patch.apply:
                assert set(Patch(host).states().values()) == {"patched"}
                Patch(host).revert()
            assert content(host) == before, count


def test_an_earlier_patch_of_ours_is_brought_up_to_date(host):
    before, patch = content(host), Patch(host)
    patch.apply()
    earlier = b"# what an earlier version of this package wrote\n"
    (host / FILE).write_bytes(earlier)
    record = json.loads(patch.record_file.read_text())
    record["written"][FILE] = [hashlib.sha256(earlier).hexdigest()]
    patch.record_file.write_text(json.dumps(record))
    assert patch.states()[FILE] == "outdated"
    assert patch.apply() == 1
    assert set(patch.states().values()) == {"patched"}
    (host / FILE).write_bytes(earlier)  # as if the update had been killed before this file
    assert patch.states()[FILE] == "outdated"
    patch.revert()
    assert content(host) == before


@pytest.mark.parametrize("patched_first", [True, False])
def test_an_edited_file_is_neither_patched_over_nor_reverted(host, patched_first):
    patch = Patch(host)
    if patched_first:
        patch.apply()
    with (host / FILE).open("a") as file:
        file.write("# mine\n")
    before = content(host)
    for action in (patch.apply, patch.revert) if patched_first else (patch.apply,):
        with pytest.raises(UserError, match=FILE):
            action()
    assert content(host) == before


COMMANDS = """
import functools, sys
from pathlib import Path
from openrlhf_unlearn.host import patching
from openrlhf_unlearn.host.patching import Patch
patching.rewrite = functools.cache(patching.rewrite)
for line in sys.stdin:
    getattr(Patch(Path(sys.argv[1])), line.strip())()
    print("done", flush=True)
"""


@pytest.fixture
def others(host):
    """Three processes that each do what is written to them: all at once."""
    arguments = [sys.executable, "-c", COMMANDS, str(host)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [subprocess.Popen(arguments, text=True, **pipes) for _ in range(3)]
    yield processes
    for process in processes:
        process.communicate()


def test_applies_and_reverts_at_once_lose_no_original(host, others):
    """Whoever comes first: afterwards the folder is patched or as it was, and a revert gives the original bytes."""
    before = content(host)
    for turn in range(21):
        for process, action in zip(others, ("apply", "apply", "revert" if turn % 2 else "apply"), strict=True):
            process.stdin.write(f"{action}\n")
            process.stdin.flush()
        for process in others:
            assert process.stdout.readline() == "done\n", process.stderr.read()
        assert set(Patch(host).states().values()) == {"patched"} or content(host) == before
        Patch(host).revert()
        assert content(host) == before


@pytest.mark.parametrize("damage", ["gone", "of someone else"])
@pytest.mark.parametrize("action", ["apply", "revert"])
def test_without_its_stored_original_a_file_is_left_as_it_is(host, damage, action):
    """A revert that cannot be whole, and an apply that could never be undone, do nothing and say so."""
    patch = Patch(host)
    patch.apply()
    stored = patch.store / FILE
    stored.unlink() if damage == "gone" else stored.write_text("# not OpenRLHF's")
    before = content(host)
    with pytest.raises(UserError, match=rf"originals of {FILE}.*nothing was changed.*pip install"):
        getattr(patch, action)()
    assert content(host) == before


def test_a_wrong_stored_original_is_replaced_while_the_right_bytes_are_in_place(host):
    before, patch = content(host), Patch(host)
    patch._write(patch.store / FILE, b"# left by a patch that lost a race")
    patch.apply()
    patch.revert()
    assert content(host) == before


def test_a_foreign_launcher_stays_and_nothing_is_written(host):
    (host / LAUNCHER).write_text("# of someone else")
    with pytest.raises(UserError, match=LAUNCHER):
        Patch(host).apply()
    assert not Patch(host).store.exists()


def test_an_unknown_version_is_refused_and_after_an_upgrade_revert_leaves_the_new_files(host):
    with pytest.raises(UserError, match=r"OpenRLHF 9\.9\.9 is unknown.*0\.11\.2"):
        Patch(host, "9.9.9").apply()
    Patch(host).apply()
    (host / FILE).write_text("# of 9.9.9")
    with pytest.raises(UserError, match="unknown"):
        Patch(host, "9.9.9").apply()
    Patch(host, "9.9.9").revert()
    assert (host / FILE).read_text() == "# of 9.9.9"
    assert not (host / LAUNCHER).exists() and not Patch(host).store.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user for a moment, which only root can")
def test_site_packages_of_another_user_give_one_line(host):
    before = content(host)
    for folder in (host, *host.parents):
        if folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/")):
            break
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(UserError, match="cannot write to .*Permission denied.*owner"):
            Patch(host).apply()
    finally:
        os.seteuid(0)
    assert content(host) == before


VERB = """
import sys
from openrlhf_unlearn.cli import main
sys.stderr = sys.stdout
for words in ("status", "apply", "apply", "status"):
    print("exit code", main(["patch", words]))
"""


def test_the_command_shows_applies_and_reverts(host):
    """On a copy that comes first on the path, whose launcher is then ours."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(host.parent), os.environ.get("PYTHONPATH", "")])}

    def call(*words):
        return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment)

    said = call("-c", VERB).stdout
    assert [text.splitlines()[-1].rpartition(": ")[2] for text in said.split("\nexit code 0\n")[:-1]] == [
        "not patched", f"{len(ORIGINALS[host_version()]) + 1} files written", "already applied", "patched",
    ]  # fmt: skip
    assert str(host) in said
    assert "no such plugin" in call("-m", "openrlhf.cli.train_ppo", "--plugin", "nope").stderr
    (host / FILE).write_text("# mine")
    refused = call("-m", "openrlhf_unlearn.cli", "patch", "revert")
    assert refused.returncode == 1 and FILE in refused.stderr.splitlines()[-1]


def test_without_a_host_there_is_one_line(monkeypatch):
    monkeypatch.setattr(hooks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="openrlhf is not installed"):
        host_folder()


def test_the_readme_names_every_changed_file():
    readme = (Path(__file__).parents[2] / "patches" / "README.md").read_text()
    assert [name for name in (LAUNCHER, *ORIGINALS[host_version()]) if name not in readme] == []
