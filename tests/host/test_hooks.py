"""The contract with the host, checked against the installed OpenRLHF."""

import ast
from pathlib import Path

import pytest

import openrlhf_unlearn
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host import hooks
from openrlhf_unlearn.host.hooks import HOOKS, PARTS, Part, check_hooks, host_version
from openrlhf_unlearn.machine import host_functions
from openrlhf_unlearn.machine.host_functions import FUNCTIONS, Hook, host_function, mismatch

PACKAGE = Path(openrlhf_unlearn.__file__).parent
LISTED = {(name.module, name.name.partition(".")[0]) for name in (*HOOKS, *PARTS)}


@pytest.mark.parametrize("hook", (*HOOKS, *PARTS), ids=lambda hook: hook.name)
def test_the_installed_host_has_the_hook(hook):
    assert mismatch(hook) is None


def test_the_installed_host_is_a_tested_one():
    assert host_version() in hooks.TESTED_HOSTS
    check_hooks()


def test_an_untested_version_is_refused_in_one_line_unless_allowed(monkeypatch):
    monkeypatch.setattr(hooks, "TESTED_HOSTS", ("0.0.1",))
    with pytest.raises(UserError, match="not tested with this plugin .*--unlearn.allow_untested_host"):
        check_hooks()
    check_hooks(allow_untested=True)


@pytest.mark.parametrize(
    ("hook", "text"),
    [
        (Hook("openrlhf.utils.config", "hierarchize", "args more", ""), r"takes \(args\), not \(args more\)"),
        (Hook("openrlhf.utils.config", "gone", "args", ""), "is missing"),
        (Hook("openrlhf.nowhere", "gone", "args", ""), "is missing"),
        (Part("openrlhf.trainer.ppo_trainer", "Gone", "generator.Ours", ""), "ppo_trainer.Gone is missing"),
    ],
)
def test_a_hook_that_moved_is_told(monkeypatch, hook, text):
    monkeypatch.setattr(hooks, "HOOKS", (hook,))
    with pytest.raises(UserError, match=text):
        check_hooks()


def taken(source):
    """(module, name) of all that a file imports from OpenRLHF; of a module, each name that it looks up there."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.partition(".")[0] == "openrlhf")
        if not isinstance(node, ast.ImportFrom) or (node.module or "").partition(".")[0] != "openrlhf":
            continue
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            if module not in {module for module, _ in LISTED}:
                yield node.module, alias.name
                continue
            for found in ast.walk(tree):
                if isinstance(found, ast.Attribute) and ast.unparse(found.value) == (alias.asname or alias.name):
                    yield module, found.attr


def test_every_name_that_we_take_from_the_host_is_a_hook():
    found = {one for path in PACKAGE.rglob("*.py") for one in taken(path.read_text(encoding="utf-8"))}
    assert len(found) > 10
    assert found - LISTED == set()


def test_one_that_is_none_would_be_found():
    source = """
import openrlhf.models
from openrlhf.trainer import ppo_trainer as stock
def later():
    from openrlhf.datasets.utils import blending_datasets, exist_and_not_none
    return stock.PPOTrainer, stock.gone
"""
    unlisted = {("openrlhf.models", ""), ("openrlhf.datasets.utils", "exist_and_not_none")}
    assert set(taken(source)) - LISTED == unlisted | {("openrlhf.trainer.ppo_trainer", "gone")}


def test_what_reads_data_refuses_a_host_that_moved_it(monkeypatch):
    """Before anything is sampled, in a line, and not by what Python says of a call."""
    assert [host_function(hook.name).__name__ for hook in FUNCTIONS] == [hook.name for hook in FUNCTIONS]
    moved = [Hook(hook.module, hook.name, f"{hook.parameters} more", "") for hook in FUNCTIONS]
    monkeypatch.setattr(host_functions, "FUNCTIONS", moved)
    for hook in moved:
        with pytest.raises(UserError, match=rf"^OpenRLHF [\d.]+: {hook.module}.{hook.name} takes .*more\); .*doctor"):
            host_function(hook.name)
