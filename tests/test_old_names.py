"""Modules of the release before are still found under their names: what was documented, patched in or stored."""

import importlib
import importlib.util
import subprocess
import sys

import pytest

from openrlhf_unlearn.old_names import OLD_NAMES

DOCUMENTED = [  # in the release of 26 November 2026: its docs, its examples, what it patched into OpenRLHF
    ("training.losses", "LOSSES"),
    ("learnability.classify", "classify"),
    ("learnability.posterior", "Posterior"),
    ("microworld.task", "SETTINGS"),
    ("microworld.agreement", "agreement"),
    ("interventions.host_flags", "check_launch"),
    ("report.statistics", "mean_interval"),
    ("run_dir", "RunDir"),
    ("doctor", "run"),
    ("patching", "run"),
    ("plugin", "UnlearnPlugin"),
    ("cpu.weight_sync", "on_cpu"),
]


@pytest.fixture
def anew(monkeypatch):
    """As in a new process: no old name was imported."""
    for name in OLD_NAMES:
        monkeypatch.delitem(sys.modules, f"openrlhf_unlearn.{name}", raising=False)


@pytest.mark.parametrize("module, name", DOCUMENTED, ids=[module for module, _ in DOCUMENTED])
def test_an_old_name_gives_the_new_modules_object_and_warns(anew, module, name):
    if module == "cpu.weight_sync":
        pytest.importorskip("torch")
    with pytest.warns(
        DeprecationWarning, match=f"openrlhf_unlearn.{module} is now openrlhf_unlearn.{OLD_NAMES[module]}"
    ):
        old = importlib.import_module(f"openrlhf_unlearn.{module}")
    new = importlib.import_module(f"openrlhf_unlearn.{OLD_NAMES[module]}")
    assert getattr(old, name) is getattr(new, name)


@pytest.mark.parametrize("new", sorted(set(OLD_NAMES.values())))
def test_every_new_name_is_there(new):
    assert importlib.util.find_spec(f"openrlhf_unlearn.{new}")


def test_what_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match="openrlhf_unlearn.learnability.nothing"):
        importlib.import_module("openrlhf_unlearn.learnability.nothing")


def test_the_old_launcher_still_launches():
    command = [sys.executable, "-m", "openrlhf_unlearn.launcher", "--plugin", "nope"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "--plugin nope: no such plugin" in done.stderr
