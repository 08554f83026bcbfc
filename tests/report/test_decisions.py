"""The decisions' file, as the page writes it and `diagnose` reads it."""

import json

import pytest

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.report.decisions import PageDecision, read_decisions


def written(tmp_path, **changes):
    row = {"prompt_id": "a", "decision": "label_wrong", "label": "8", "note": "off by one"}
    value = {"kind": "decisions", "version": 1, "runs": ["run"], "decisions": [row, {"prompt_id": "b", "note": "?"}]}
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps({**value, **changes}))
    return path


def test_what_was_decided_is_read(tmp_path):
    found = read_decisions(written(tmp_path))
    assert found == {"a": PageDecision("a", "label_wrong", "8", "off by one"), "b": PageDecision("b", "", "", "?")}


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"kind": "other"}, "download them again"),
        ({"version": 2}, "download them again"),
        ({"decisions": [{"decision": "drop"}]}, "names no prompt_id"),
        ({"decisions": [{"prompt_id": "a", "decision": "burn"}]}, "'burn' of a: choose of drop"),
        ({"decisions": ["a"]}, "names no prompt_id"),
    ],
)
def test_what_is_none_is_told_in_a_line(tmp_path, changes, said):
    with pytest.raises(UserError, match=said) as told:
        read_decisions(written(tmp_path, **changes))
    assert "\n" not in str(told.value)
