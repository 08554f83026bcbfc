r"""JSON out of a model's text: with thinking, fences or words around it, and with LaTeX that was not escaped.

A model that writes "\frac" in a JSON string means a command; JSON reads a form feed and "rac". Text that JSON refuses,
or that holds control characters which nobody writes on purpose, is read again with its commands escaped.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Shape = TypeVar("Shape", bound=BaseModel)

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_ESCAPE = re.compile(r"\\(\\|[\"/]|u[0-9a-fA-F]{4}|[a-zA-Z]+|.)", re.DOTALL)
# After a letter that is an escape, what makes it a command's name all the same.
_COMMAND = re.compile(
    r"[bf][a-zA-Z]+"
    r"|n(?:abla|e|earrow|eg|eq|exists|geq|leq|mid|ot|otin|parallel|sim|subseteq|u)"
    r"|r(?:angle|brace|brack|ceil|floor|ho|ight|ightarrow|m|vert|Vert)"
    r"|t(?:an|anh|au|ext|extbf|extit|extrm|frac|heta|herefore|ilde|imes|o|op|riangle|binom)"
)
_ESCAPED_COMMAND = re.compile(r"(?<!\\)\\\\[a-zA-Z]")
_CONTROL = re.compile(r"[\x08\x0c]|[\t\r][a-z]")


def parse(text: str, shape: type[Shape]) -> Shape:
    """The first JSON object in `text` that is a `shape`. Raises ValueError that says in a line what is wrong."""
    _, _, said = text.rpartition("</think>")
    problem = "it holds no JSON object"
    for candidate in _candidates(said):
        try:
            return shape.model_validate(_loads(candidate))
        except ValidationError as error:
            first = error.errors()[0]
            problem = f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}"
        except ValueError as error:
            problem = f"it is not JSON ({error})"
    raise ValueError(problem)


def _candidates(text: str) -> Iterator[str]:
    yield text.strip()
    yield from (fenced.strip() for fenced in _FENCE.findall(text))
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        yield text[start : end + 1]


def _loads(text: str):
    try:
        value = json.loads(text, strict=False)
        if not _has_control(value):
            return value
    except ValueError:
        pass
    # Two backslashes are one, escaped; or LaTeX's end of a line, where the text escapes none of its commands.
    pair = r"\\" if _ESCAPED_COMMAND.search(text) else r"\\\\"
    return json.loads(_ESCAPE.sub(lambda match: _mend(match, pair), text), strict=False)


def _has_control(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_CONTROL.search(value))
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_has_control, items))


def _mend(match: re.Match, pair: str) -> str:
    """The escape as it is where JSON means it, else with its backslashes doubled."""
    rest = match[1]
    if rest == "\\":
        return pair
    if rest in ('"', "/") or re.fullmatch(r"u[0-9a-fA-F]{4}", rest):
        return match[0]
    if rest[0] in "bfnrt" and not _COMMAND.fullmatch(rest):
        return match[0]
    return "\\" + match[0]
