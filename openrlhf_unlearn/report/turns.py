"""Conversations: a response (or a prompt) of several messages, kept as JSON, as turns that people can read."""

import json
from typing import Any

Turns = list[list[str]]  # [role, text] of each message
LEAST = 80  # characters that are shown of a turn, however many there are


def turns_of(text: str) -> Turns | None:
    """The messages of a conversation, tools' calls and answers too; None for text that is none."""
    if not text.startswith("[{") or not text.endswith("]"):
        return None
    try:
        messages = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(message, dict) and "role" in message for message in messages):
        return None
    return [[str(message["role"]), _content(message)] for message in messages]


def _content(message: dict[str, Any]) -> str:
    parts: list[Any] = [message.get("reasoning_content"), message.get("content"), *(message.get("tool_calls") or ())]
    return "\n".join(part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts if part)


def readable(text: str) -> str:
    """The text for a line of a table: a conversation as `role: text` lines."""
    turns = turns_of(text)
    return text if turns is None else "\n".join(f"{role}: {said}" for role, said in turns)


def shorten(turns: Turns, most: int) -> tuple[Turns, int]:
    """Turns of about `most` characters in all, each cut alike at its end; and how many characters were left out."""
    each = max(LEAST, most // max(1, len(turns)))
    if sum(len(said) for _, said in turns) <= most:
        return turns, 0
    return [[role, said[:each]] for role, said in turns], sum(max(0, len(said) - each) for _, said in turns)
