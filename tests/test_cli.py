"""The command line itself: every verb teaches, and bad use is told in one line."""

import re

import pytest

from openrlhf_unlearn import cli
from openrlhf_unlearn.host import launcher


@pytest.mark.parametrize("verb", [verb for verb in cli.VERBS if verb != "train"])
def test_help_teaches(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    assert f"openrlhf-unlearn {verb}" in text.split("options:")[0].split("\n\n", 1)[1]
    assert "(default: None)" not in text
    assert not re.search(r"\bmend", text), "say fix, or correct"


def test_every_verb_has_a_line(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert not re.search(r"\bmend", text), "say fix"
    for verb, (_, summary) in cli.VERBS.items():
        assert f"{verb} {summary}" in text


@pytest.mark.parametrize("words", [["unknown"], ["classify"], ["patch", "sideways"], []])
def test_bad_use_is_told(words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2
    assert "openrlhf-unlearn" in capsys.readouterr().err


def test_train_passes_every_word_on_to_the_launcher(monkeypatch):
    given = []
    monkeypatch.setattr(launcher, "main", lambda words: given.append(words) or 0)
    assert cli.main(["train", "--unlearn.run_dir", "r", "--help"]) == 0 and cli.main(["train"]) == 0
    assert given == [["--plugin", "unlearn", "--unlearn.run_dir", "r", "--help"], ["--plugin", "unlearn"]]
