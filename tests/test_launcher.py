import pytest

from openrlhf_unlearn import launcher
from openrlhf_unlearn.errors import UsageError


def test_plugin_names_are_taken_and_the_rest_is_the_hosts():
    words = ["--plugin", "unlearn", "--a.b", "1", "--plugin=other", "--flag"]
    assert launcher.take_plugin_names(words) == (["unlearn", "other"], ["--a.b", "1", "--flag"])


def test_an_unknown_plugin_lists_the_known_ones(capsys):
    with pytest.raises(UsageError, match="--plugin nope: no such plugin; installed: .*unlearn"):
        launcher.load_plugins(["nope"])
    assert launcher.main(["--plugin", "nope"]) == 2
    assert capsys.readouterr().err == "openrlhf-unlearn: --plugin nope: no such plugin; installed: unlearn\n"


def test_a_plugin_named_twice_is_loaded_once():
    assert len(launcher.load_plugins(["unlearn", "unlearn"])) == 1
