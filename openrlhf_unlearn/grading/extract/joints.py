"""Answers that only a comma, "and" or "or" joins are one list."""

import re

_NEAR = 40  # characters, at most, between answers that belong together
_BETWEEN = re.compile(r"[\s$]*(?:[,;]|[,;]?\s*(?:\\(?:text|mathrm)\s*\{)?\s*(?:and|or)\b\s*\}?)[\s$]*")


def joined(text: str, end: int, start: int) -> bool:
    """Whether nothing but a comma, "and" or "or" stands between two answers."""
    return start - end <= _NEAR and bool(_BETWEEN.fullmatch(text, end, start))


def joint(between: str) -> str:
    return r" \text{ or } " if re.search(r"\bor\b", between) else ", "
