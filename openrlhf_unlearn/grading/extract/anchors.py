"""The answer that an anchor announces: "the answer is", "Answer:", a heading, ####."""

import re

from openrlhf_unlearn.grading.extract.formulas import first_formulas
from openrlhf_unlearn.grading.extract.found import MAX_ANSWER
from openrlhf_unlearn.grading.extract.prose import SENTENCE_END, plain, without_bullet

_ANSWER_WORDS = r"answers?|ans|(?:correct|right|best) (?:option|choice)s?|final (?:result|value|solution)s?"
_ANCHOR = re.compile(
    rf"(?<!this )(?<!that )(?<!each )(?<!an )\b(?:{_ANSWER_WORDS})\b"
    r"[^.\n:=]{0,80}?(?:\bis\b|\bare\b|\bwould be\b|\bmust be\b|:|=)"
    r"|####|(?:最终答案|答案|结果)(?:应该)?(?:是|为)?[:：]?|(?:故选|应选|选择?)[:：]?(?=\s*[(（]?[A-J])",
    re.IGNORECASE,
)
# Where an anchor may begin: passes over the rest of a response faster than the anchor itself.
_BEGINNING = re.compile(r"[#aAfFcCrRbB最答结故应选](?=[nN][sS]|[iI][nNgG]|[oO][rR]|[eE][sS]|###|(?<=[最答结故应选]))")
_HEADING = re.compile(rf"^[\s#*_]{{0,20}}(?:the )?(?:final )?(?:{_ANSWER_WORDS})[\s*_:：]{{0,8}}$", re.IGNORECASE)
_REASON = re.compile(
    r"\b(?:because|since|as (?:we|the|it|desired|required|claimed|expected|needed)|where|which|so that|for which|by the"
    r"|due to|after|when|given|hence)\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\s{0,3},?\s{0,3}(?:/|\b(?:or|and|perhaps|maybe|possibly|but|unless|if|is not|is wrong)\b)",
    re.IGNORECASE,
)
# "So the answer is correct." after an answer says nothing new.
_CHECKED = re.compile(
    r"\s{0,3}(?:indeed |also |therefore |thus )?(?:correct|right|verified|confirmed|consistent)\s{0,3}(?:[.!\n]|\Z)",
    re.IGNORECASE,
)
# What says, before an anchor and in its own clause, that the answer is not claimed.
_DOUBT = re.compile(
    r"(?:(?:\bnot|n't)\s+(?:sure|certain|think|believe|know|say|claim)|\b(?:unsure|uncertain|unclear|doubt|whether|if|suppose"
    r"|assume|assuming|imagine|unlikely|impossible))\b[^.,;:!?\n]*\Z",
    re.IGNORECASE,
)
# What takes it back in the sentences that follow.
_RETRACTED = re.compile(
    r"\b(?:oops|scratch that|on second thought|(?:let me|must) (?:reconsider|redo|rethink|correct)|made a mistake"
    r"|(?:that|this)(?:'s| is| was) (?:wrong|incorrect|not (?:right|correct)))\b"
    r"|[.!?\n]\s{0,9}(?:No|Actually|Sorry),|[.!?,\n]\s{0,9}(?:but |no )?wait\b",
    re.IGNORECASE,
)
# "Option B is correct.", "I choose B." at the end.
_CHOSEN = re.compile(
    r"(?:\A|[\n.,]\s{0,9}|\b(?:so|thus|hence|therefore|that) )(?:option |choice )?[(]?([A-J])[)]? is (?:the )?"
    r"(?:correct|right|best)(?: (?:answer|choice|option))?[.!]?\s{0,9}\Z"
    r"|(?:\A|[\n.,]\s{0,9}|\b(?:so|thus|hence|therefore) )I (?:would )?(?:choose|select|pick) "
    r"(?:option )?[(]?([A-J])[)]?[.!]?\s{0,9}\Z",
    re.IGNORECASE,
)
_CHOICE_ENDS = re.compile(r"(?:t|n|r|e|[^a-zA-Z][A-J][)]?)[.!]?\s{0,9}\Z", re.IGNORECASE)  # a quick no to most texts


def anchored_answer(text: str) -> str | None:
    """What follows the last "answer is", "answer:" or ####, on its line or, if that is empty, the next."""
    anchors = _anchors(text)
    while len(anchors) > 1 and _CHECKED.match(text, anchors[-1].end()):
        anchors.pop()
    last = anchors[-1] if anchors else None
    heading = _last_heading(text)
    hashes = text.rfind("####")
    start = hashes + 4 if hashes >= 0 else max(last.end() if last else -1, heading)
    if start < 0:
        chosen = _CHOSEN.search(text[-200:]) if _CHOICE_ENDS.search(text[-16:]) else None
        return chosen[1] or chosen[2] if chosen else None
    if last and start == last.end() and _DOUBT.search(text[max(last.start() - 100, 0) : last.start()]):
        return None
    if _RETRACTED.search(text, start):
        return None
    rest = without_bullet(text[start:].lstrip(" \t_:：`\r\n*"))
    return _answer_at(rest, hashes >= 0)


def _anchors(text: str) -> list[re.Match[str]]:
    """As `_ANCHOR.finditer`, faster."""
    found: list[re.Match[str]] = []
    end = 0
    for beginning in _BEGINNING.finditer(text):
        if beginning.start() >= end and (anchor := _ANCHOR.match(text, beginning.start())):
            found.append(anchor)
            end = anchor.end()
    return found


def _last_heading(text: str) -> int:
    """Where the last line that says nothing but "Final Answer" ends; -1 if there is none."""
    end = len(text)
    for line in reversed(text[-4 * MAX_ANSWER :].split("\n")):
        if len(line) < 60 and _HEADING.match(line):
            return end
        end -= len(line) + 1
    return -1


def _answer_at(rest: str, gsm: bool = False) -> str | None:
    """The answer that a text begins with: its first formula, else its first sentence, without markup and reasons.

    What the sentence goes on to say of it, "or perhaps 43", stays: it then is no value.
    """
    rest = rest[:MAX_ANSWER]
    if first := first_formulas(rest):
        end, inside = first
        after = rest[end:].lstrip("*_`").partition("\n")[0]
        unit = re.match(r"\s{0,3}([a-z]{1,12}|°)\s{0,3}[.*]{0,3}$", after)
        if _OTHER.match(after) or re.match(r"\s{0,3}[-+*/^=<>]\s{0,3}[$\\0-9A-Za-z]", after):
            return inside + SENTENCE_END.split(after, maxsplit=1)[0]
        return f"{inside} \\text{{ {unit[1]} }}" if unit else inside
    line = rest.partition("\n")[0]
    if gsm and (number := re.match(r"\s{0,9}(\S{1,99})\s{1,9}(?=[A-Z][a-z])", line)):
        line = number[1]
    line = SENTENCE_END.split(line, maxsplit=1)[0]
    if reason := _REASON.search(line):
        line = line[: reason.start()].rstrip(" ,;(")
    return plain(line) or None
