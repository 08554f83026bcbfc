"""What stands around an answer: Markdown, words, numbers, and what takes a value back."""

import re

# "- 5" may be minus five.
_BULLET = re.compile(
    r"(?:[=-]{3,99}\s{1,9}|[-+•]\s{1,9}(?=[$\\*`A-Za-z])|•\s{0,9}|\*\s{1,9})"
)  # "- 5" may be minus five
_MARKUP = re.compile(r"\*\*|__|`+|^[#\s]+|^[*_](?=\S)|(?<=\S)[*_]$")
SENTENCE_END = re.compile(r"[.。](?=\s|\Z)")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z']{3,}|\bI\b")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[a-z*]+\}")
NUMBER = re.compile(r"(?<![A-Za-z0-9_.])-?(?:[0-9][0-9,]*(?:\.[0-9]+)?(?:/[0-9]+)?|\.[0-9]+)")
# What takes a value back or names another: a response that says so in passing gives no answer.
HEDGE = re.compile(
    r"\b(?:not|n't|never|or|either|perhaps|maybe|might|may|could|possibly|probably|likely|unless|wrong|incorrect|if|"
    r"assum\w{0,6}|suppose|guess|neither|nor|except|between|about|around|approximately|roughly|at least|at most|"
    r"more than|less than|fewer than|cannot|doubt\w{0,4}|unsure|uncertain|unlikely|impossible|whether)\b|n't\b|\?"
    r"|不(?:是|能|可能|对|确定|一定)|大约|左右|可能|至少|最多|超过|大于|小于|多于|少于",
    re.IGNORECASE,
)


def without_bullet(text: str) -> str:
    """Without the sign before an item of a Markdown list."""
    bullet = _BULLET.match(text)
    return text[bullet.end() :] if bullet else text


def plain(text: str) -> str:
    """Without Markdown: bold, code, headings, quotes."""
    return _MARKUP.sub("", text.strip()).strip().strip("`").strip()


def count_words(text: str) -> int:
    return len(_WORD.findall(_ENVIRONMENT.sub("", text)))
