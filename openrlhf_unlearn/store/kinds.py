"""What kinds of values a JSON file of ours may hold, and of which version it is; what is not so is one line."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from openrlhf_unlearn.errors import UserError

Kind = tuple[str, Callable[[Any], bool]]  # its name in an error, and whether a value is of it
TEXT: Kind = ("text", lambda value: isinstance(value, str))
TEXTS: Kind = ("list of texts", lambda value: isinstance(value, list) and all(map(TEXT[1], cast("list[Any]", value))))
OBJECT: Kind = ("JSON object", lambda value: isinstance(value, dict))
FLAG: Kind = ("true or false", lambda value: isinstance(value, bool))
WHOLE: Kind = ("whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
NUMBER: Kind = (
    "finite number",
    lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value),
)


def check_kinds(path: Path, values: dict[str, Any], kinds: dict[str, Kind]) -> None:
    """Raise UserError that names the first key (`positive.threshold`) whose value, if there is one, is of no such kind.

    An object stands before what is in it.
    """
    for name, (words, fits) in kinds.items():
        value: Any = values
        for part in name.split("."):
            value = None if value is None else value.get(part)
        if value is not None and not fits(value):
            raise UserError(f"{path}: its {name} is no {words} but {value!r:.60}; it is of another kind, or was edited")


def check_version(path: Path, version: Any, known: int) -> None:
    """Raise UserError, which says what to do, for a file of a version that this package cannot read."""
    if version == known and WHOLE[1](version):
        return
    if version is None:
        raise UserError(f"{path} has no schema_version, which every version of openrlhf-unlearn writes; was it edited?")
    if not WHOLE[1](version):
        raise UserError(
            f"{path}: its schema_version is no whole number but {version!r:.60}; write {known} if it is that"
        )
    if version > known:
        raise UserError(
            f"{path} has schema version {version} and was written by a newer openrlhf-unlearn, this one reads {known}: "
            "pip install -U openrlhf-unlearn"
        )
    raise UserError(
        f"{path} has schema version {version}, which this openrlhf-unlearn reads no more; train or import again"
    )
