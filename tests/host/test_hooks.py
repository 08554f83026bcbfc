"""The contract with the host, checked against the installed OpenRLHF."""

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.host import hooks
from openrlhf_unlearn.host.hooks import HOOKS, PARTS, Hook, Part, check_hooks, host_version, mismatch


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
