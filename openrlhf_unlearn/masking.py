"""No secret in what may be shared: keys, tokens, passwords and the user part of URLs are masked as it is written.

Three ways to know one: by the name of its flag, field or environment variable; by where it stands (a URL's user part or
query, an Authorization header); and by its value, where this process was given it in any of these ways.
"""

import base64
import os
import re
import sys
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

MASK = "***"
SHORTEST = 6  # characters; a shorter value, such as "none", is masked where its name is known, and not elsewhere
_WORDS = ("apikey", "authorization", "credential", "passphrase", "passwd", "password", "secret", "signature")
# Names that end in such a word and are none, by the word before it: columns of data, a vocabulary's special tokens,
# counts of passes, and folders; "" is a name that is this word alone.
_COLUMNS = "input label output prompt image images video chosen rejected question answer response text metric id sort"
_TOKENS = "eos bos pad unk sep cls mask stop end start special image response per a"
_PASSES = "n num max per eval test train mean first second last one two single multi forward backward is did"
_FOLDERS = "old orig original init initial start current host work working project"
_HARMLESS = {
    "key": set(_COLUMNS.split()),
    "token": set(_TOKENS.split()),
    "pass": {"", *_PASSES.split()},
    "pwd": {"", *_FOLDERS.split()},
    "sig": set(),
}
# "tokens" and "keys" are counts and columns, but after these words.
_OWNERS = "access api auth bearer github gitlab hf hub openai private refresh secret service session wandb"
_QUOTED = r"'[^']*'|\"(?:[^\"\\]|\\.)*\""
# A name is searched for in its last hundred characters: without a bound a long word takes the square of its length.
_AFTER_FLAG = re.compile(rf"(--?[\w.-]{{1,100}}(?:['\"],?)?\s+)(?!-)(?:{_QUOTED}|[^\s'\"])+")
_NAMED = re.compile(rf"([\w.-]{{1,100}}=|['\"][\w.-]{{1,100}}['\"]\s*:\s*)(?:{_QUOTED}|[^\s'\",;&#)}}\]])+")
# A header or a line of YAML: of one word alone only where that is no word of prose.
_LINE = re.compile(
    r"(?<![\w.-])((?:[A-Za-z]\w{0,100}[_-][\w-]{1,100}|Authorization|Passw(?:or)?d):[ \t]+)(?!(?:Bearer|Basic)\b)"
    rf"(?:token\s+)?(?:{_QUOTED}|[^\s'\",;&#)}}\]])+",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<=://)[^/\s?#'\"]+(?=@)")
_SCHEME = re.compile(r"^(Bearer|Basic)\s+", re.IGNORECASE)
_HEADER = re.compile(r"\b(Bearer|Basic)\s+(?=\S*[\d=])[\w.~+/=-]{6,}", re.IGNORECASE)  # no word: it has a digit
# Keys that say by their beginning whose they are: OpenAI and those who follow it, Hugging Face, GitHub, GitLab, Slack,
# Google, AWS. In JSON and in prints of text an escape may stand before: the n of \n is no letter of a word.
_KEY = (
    r"sk-[\w-]{16,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[\w-]{30,}|(?:AKIA|ASIA)[A-Z0-9]{16}\b"
)
_SHAPES = re.compile(rf"(?:\b|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{{4}}))(?:{_KEY})")
# What none of these is in needs no closer look.
_HINT = re.compile(r"://|[=:]|--|sk-|hf_|gh[pousr]_|_pat_|glpat|xox|AIza|(?:AK|AS)IA|bearer|basic", re.IGNORECASE)
_PLAIN = {int, float, bool, type(None)}
_remembered: set[str] = set()


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a flag, a field or an environment variable of this name holds a secret."""
    last = name.rpartition(".")[2]
    humps = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", last)  # accessToken
    return any(_says_secret(re.findall("[a-z]+", text.lower())) for text in {last, humps})


def _says_secret(words: list[str]) -> bool:
    """By the last word, in the plural too; numbers are no words, so the second of several keys is one."""
    before, last = ["", "", *words][-2:]
    one = last.removesuffix("s")
    if one in ("key", "token") and one != last:
        return before in _OWNERS.split()
    if last in _HARMLESS:
        return before not in _HARMLESS[last]
    return one.endswith(_WORDS)


def remember(value: str | None) -> None:
    """Mask `value`, a secret whose name does not say so, in all that this process writes from now on."""
    if value:
        _remembered.update({value, _SCHEME.sub("", value)})


def remember_all(value: Any, name: str = "") -> None:
    """Likewise the secrets in `value`, as JSON holds it: of fields whose names say so, and in URLs."""
    if isinstance(value, dict):
        for key, item in value.items():
            remember_all(item, str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            remember_all(item, name)
    elif isinstance(value, str):
        for secret in {value} if is_secret(name) else _in_url(value):
            remember(secret)


class Secret(str):
    """A secret that works as the text it is and does not show in the print of what holds it."""

    def __repr__(self) -> str:
        return repr(MASK)


def hide(namespace: Any) -> None:
    """Make the secrets in a configuration, a namespace of namespaces, such that its print does not show them."""
    for name, value in vars(namespace).items():
        if hasattr(value, "__dict__"):
            hide(value)
        elif isinstance(value, str) and (is_secret(name) or mask_text(value) != value):
            setattr(namespace, name, Secret(value))


def mask_values(text: str) -> str:
    """`text` without the secrets that this process was given; for texts of models, in which nothing else may change."""
    return _without(text, known())


def mask_shapes(text: str) -> str:
    """`text` without what has the shape of a key, and without the secrets that this process was given."""
    return _SHAPES.sub(MASK, mask_values(text))


def mask_text(text: str) -> str:
    """`text` without secrets: commands, URLs, headers, error messages."""
    return _mask_text(text, known())


def masked(value: Any) -> Any:
    """`value`, as JSON holds it, without secrets."""
    return _masked(value, "", known())


def _masked(value: Any, name: str, values: tuple[str, ...]) -> Any:
    """`name`: the field that `value` stands in, or the flag that it follows."""
    if isinstance(value, dict):
        return {key: _masked(item, str(key), values) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        kinds = set(map(type, value))
        if kinds <= _PLAIN:  # the most of a report: millions of numbers
            return list(value)
        if str not in kinds:
            return [_masked(item, name, values) for item in value]
        flags = [word if isinstance(word, str) and word.startswith("--") else name for word in ("", *value)]
        return [_masked(item, flag, values) for item, flag in zip(value, flags, strict=False)]
    if isinstance(value, str) and value:
        return MASK if is_secret(name) else _mask_text(value, values)
    return value


def _without(text: str, values: tuple[str, ...]) -> str:
    for value in values:
        text = text.replace(value, MASK)
    return text


def _mask_text(text: str, values: tuple[str, ...]) -> str:
    text = _without(text, values)
    if not _HINT.search(text):
        return text
    text = _USER.sub(MASK, text)
    text = _HEADER.sub(rf"\1 {MASK}", text)
    text = _SHAPES.sub(MASK, text)
    for pattern in (_AFTER_FLAG, _NAMED, _LINE):
        text = pattern.sub(lambda match: f"{match[1]}'{MASK}'" if is_secret(match[1]) else match[0], text)
    return text


def known() -> tuple[str, ...]:
    """The values of all secrets that this process was given, longest first."""
    return _known(tuple(os.environ.items()), tuple(sys.argv), frozenset(_remembered))


@lru_cache(maxsize=4)
def _known(environment: tuple, argv: tuple, remembered: frozenset) -> tuple[str, ...]:
    found = set(remembered) | {value for name, value in environment if is_secret(name)}
    flags = [*zip(argv, argv[1:], strict=False), *(word.split("=", 1) for word in argv if "=" in word)]
    found |= {value for name, value in flags if name.startswith("-") and is_secret(name) and not value.startswith("-")}
    for _, word in (*environment, *flags):
        found |= _in_url(word)
    found = {value.strip() for value in found}  # a line's end, as a file of Windows leaves it
    return tuple(sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True))


def _in_url(word: str) -> set[str]:
    """The password of a URL, or the user where there is none, what an HTTP client makes of both, and its keys."""
    if "://" not in word or not set("@?") & set(word):
        return set()
    try:
        url = urlsplit(word)
        found = {value for name, value in parse_qsl(url.query) if is_secret(name)}
    except ValueError:
        return set()
    if "@" not in url.netloc:
        return found
    user, password = unquote(url.username or ""), unquote(url.password or "")
    return found | {password or user, url.password or "", base64.b64encode(f"{user}:{password}".encode()).decode()}
