"""Values as files hold them → values as a run directory does: numbers, texts, steps, messages."""

import json
import math
from typing import Any, TypeGuard

NOTHING = (None, "", "null", "None", "nan", "NaN")
_WORDS = {"true": 1.0, "false": 0.0}
_SAID = {"role", "content"}


def as_number(value: Any) -> float | None:
    """A reward as a number; None where there is none: null, nan, nothing. Raises ValueError for anything else."""
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower(), value)
    if isinstance(value, float) and math.isnan(value) or isinstance(value, (str, type(None))) and value in NOTHING:
        return None
    if isinstance(value, (list, dict)):
        raise ValueError
    number = _float(value)
    if math.isinf(number):
        raise ValueError
    return number


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer that no float holds
        raise ValueError from None


def as_truth(value: Any) -> bool | None:
    """True or False, as a truth value, a number or its text; None for anything else."""
    try:
        number = as_number(value)
    except (TypeError, ValueError):
        return None
    return None if number is None else number > 0.5


def as_step(value: Any) -> int:
    """A step, be it written 3, 3.0 or "3". Raises ValueError for what is no whole number from 0 on."""
    number = _float(value)
    if not number.is_integer() or not 0 <= number < 2**31:
        raise ValueError
    return int(number)


def as_text(value: Any) -> str | None:
    """Text as it is, a whole number without its `.0`; a single chat message by its content, more of them as JSON.

    None where there is none: null, or the nan that pandas writes for it.
    """
    if isinstance(value, str):
        return _whole(value)
    if value is None or isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if is_messages(value) and len(value) == 1:
        return as_text(value[0].get("content"))
    if isinstance(value, (list, dict)):
        return _whole(json.dumps(value, ensure_ascii=False, default=str))
    return str(value)


def _whole(text: str) -> str:
    """Half a character, as a cut token leaves it, can stand in JSON but in no table."""
    whole = text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
    return text if whole else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_messages(value: object) -> TypeGuard[list[dict[str, Any]]]:
    """Whether the value is a list of chat messages; one that calls a tool may lack content."""
    return isinstance(value, list) and bool(value) and all(isinstance(m, dict) and _SAID & m.keys() for m in value)


def split_messages(messages: list[dict]) -> tuple[list[dict], list[dict]]:
    """What the model was given, and what came of it: everything from its first own message on, tools' answers too."""
    first = next((i for i, message in enumerate(messages) if message.get("role") == "assistant"), len(messages))
    return messages[:first], messages[first:]


def as_label(value: Any) -> str | None:
    """A right answer as text. Raises ValueError for an object without the keys `answer` or `ground_truth`."""
    if isinstance(value, dict):
        named = [value[key] for key in ("ground_truth", "answer") if value.get(key) is not None]
        if not named or isinstance(named[0], dict):
            raise ValueError
        value = named[0]
    return as_text(value)


def untyped(text: Any) -> Any:
    """A CSV holds text only: `42.0`, as pandas writes the whole numbers of a column with gaps, is 42 again."""
    return text[:-2] if isinstance(text, str) and text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text
