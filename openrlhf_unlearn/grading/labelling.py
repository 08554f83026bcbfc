"""What a label is read as, and what is the matter with one that little can match."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from openrlhf_unlearn.grading.extract import anchored_answer, boxed_answer, has_box

MAX_WORDS = 6  # of a label that is words; a longer one is a sentence
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_PROOF = re.compile(
    r"\W{0,30}(?:proof|prove|see (?:the )?(?:proof|solution|figure|below)|omitted|证明(?:见解析)?|见解析|略)\W{0,30}",
    re.IGNORECASE,
)
_NOTHING = {"none", "null", "nan", "n/a", "undefined answer"}
_SAYS = re.compile(r"\b(?:is|are|equals?|was)\s+(?=[^\s])", re.IGNORECASE)


@dataclass(frozen=True)
class Note:
    """gradable: whether any answer can be right. what: what is the matter. advice: what to do."""

    gradable: bool
    what: str
    advice: str


@lru_cache(maxsize=1024)
def value_of(label: str) -> str:
    """The part of a label that answers are compared with; else the label.

    Of a whole solution the last box, or what follows ####; of a list its items; of "The maximum value is 5" the value.
    """
    text = label.strip()
    if "<answer>" in text:
        text = text.rpartition("<answer>")[2].partition("</answer>")[0].strip()
    if has_box(text):
        return boxed_answer(text) or ""
    if "####" in text:
        return text.rpartition("####")[2].strip()
    if (items := _items(text)) is not None:
        return items
    if len(_WORD.findall(text)) >= 3 and (value := _said_value(text)):
        return value
    return text


def _items(text: str) -> str | None:
    """'["5"]' as 5 and "['1', '2']" as 1, 2; None for what is no list of texts or numbers."""
    if not (text.startswith(("['", '["')) and text.endswith(("']", '"]'))):
        return None
    try:
        items = json.loads(text if '"' in text else text.replace("\\", "\\\\").replace("'", '"'))
    except ValueError:
        return None
    return ", ".join(map(str, items)) if items and all(isinstance(item, str | int | float) for item in items) else None


def _said_value(text: str) -> str | None:
    long = "\n" in text or len(text) > 200
    if long and not anchored_answer(text):
        return None
    if found := anchored_answer(text):
        rest = found
    else:
        says = list(_SAYS.finditer(text))
        rest = text[says[-1].end() :].strip().rstrip(".") if says else ""
    return rest if rest and len(_WORD.findall(rest.replace("\\text", ""))) < 2 and any(map(str.isdigit, rest)) else None


@lru_cache(maxsize=1024)
def gradable(label: str) -> bool:
    """Whether some answer could be right for it."""
    found = note(label)
    return found is None or found.gradable


def note(label: str) -> Note | None:
    """What is the matter with a label; None for one that answers can match."""
    text = label.strip()
    if not text or text.casefold() in _NOTHING - {"none"} or not value_of(text).strip():
        return Note(False, "empty", "fill it in or remove the row")
    if text.startswith("{") and text.endswith("}") and re.match(r"\{\s*['\"]\w", text):
        return Note(False, "a dictionary", "give the value that answers should have, as text")
    if _PROOF.fullmatch(text):
        return Note(False, "no answer but a proof", "remove the row: nothing can be compared")
    value = value_of(text)
    if not _readable(value):
        return Note(
            False, "malformed or too long to be an answer", "give the value alone, as well-formed LaTeX or words"
        )
    if "\n" in text or len(text) > 200 or "####" in text:
        return Note(True, "a whole solution", f"only {value!r} is compared; keep only that")
    if value != text and _items(text) is not None:
        return Note(True, "a list as text", f"it is read as {value!r}; write it like that")
    if value != text and not has_box(text):
        return Note(True, "a sentence", f"only {value!r} is compared; keep only that")
    words = len(_WORD.findall(re.sub(r"\\(?:text\w*|mathrm|operatorname)", "", value)))
    if words > MAX_WORDS:
        return Note(True, "a sentence", "only the same words match it; give the value alone")
    return _choice_note(value)


def _choice_note(value: str) -> Note | None:
    from openrlhf_unlearn.grading.choices import letter_and_rest

    found = (
        letter_and_rest(value)
        if re.match(r"[\s({\\$]{0,9}(?:text(?:bf)?|mathrm|mathbf)?[\s({]{0,9}[A-J]\s{0,9}[).:]", value)
        else None
    )
    if found and found[1]:
        return Note(True, "a letter with its value", f"the letter {found[0]} decides; give the letter alone")
    return None


def _readable(value: str) -> bool:
    r"""Whether it is well-formed: braces closed, arguments there, something in it that is no punctuation."""
    from openrlhf_unlearn.grading.classify import shape, trimmed
    from openrlhf_unlearn.grading.classify.shapes import Many, Words
    from openrlhf_unlearn.grading.formula.nodes import Unreadable
    from openrlhf_unlearn.grading.formula.reader import nodes

    if len(value) > 2_000:
        return False
    try:
        found = trimmed(nodes(value))
        what = shape(value)
    except (Unreadable, RecursionError):
        return False
    meant = any(node.kind in ("num", "let", "word", "sym", "env", "fn", "dots") or node.args for node in found)
    return (
        meant
        or isinstance(what, Many)
        and what.kind == "set"
        or isinstance(what, Words)
        and any(node.kind == "cmd" for node in found)
    )
