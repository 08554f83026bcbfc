"""Answers that only a comma, "and" or "or" joins are one list."""

import re

_NEAR = 40  # characters, at most, between answers that belong together
_SPACING = re.compile(r"[\s$}]|\\(?:text|mathrm)\s{0,9}\{")
_JOINTS = {mark + word for mark in ("", ",", ";") for word in ("", "and", "or")} - {""}


def joined(text: str, end: int, start: int) -> bool:
    """Whether nothing but a comma, "and" or "or" stands between two answers."""
    return start - end <= _NEAR and _SPACING.sub("", text[end:start]) in _JOINTS


def joint(between: str) -> str:
    return r" \text{ or } " if re.search(r"\bor\b", between) else ", "
