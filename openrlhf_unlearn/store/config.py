"""run.json: what makes a run this run."""

from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.store.files import read_object

SCHEMA_VERSION = 1
_TEXT, _OBJECT = (str, "text"), (dict, "JSON object")
_KINDS = {"args": _OBJECT, "versions": _OBJECT} | dict.fromkeys(("command", "created", "model", "recorded"), _TEXT)


def read_config(path: Path) -> dict:
    config = read_object(path)
    for name, (kind, words) in _KINDS.items():
        if not isinstance(config.get(name) or kind(), kind):
            raise UserError(f"{path}: its {name} is no {words}; it is of another kind, or was edited")
    return config
