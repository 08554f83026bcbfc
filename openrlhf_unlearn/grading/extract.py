r"""Where the answer stands in a response. Text only: no mathematics, nothing that can hang.

In `auto` an answer is, in this order: what the last `\boxed{…}` holds, what follows "the answer is" or `####`, the last
formula of the last line, or a response so short that it is nothing but an answer. A number in passing is none:
math-verify takes it, and so rewards a derivation that was cut off at a lucky place.
"""

import re

SHORT = 400  # characters of a response that may be an answer without any mark
MAX_ANSWER = 2_000

_TOKEN = re.compile(r"\\.|[{}]", re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BETWEEN = re.compile(r"[\s$]*(?:[,;]|[,;]?\s*(?:\\(?:text|mathrm)\s*\{)?\s*(?:and|or)\b\s*\}?)[\s$]*")
_END_TOKENS = re.compile(r"(?:\s|<(?:eos|pad|/s|end_of_turn)>|<\|[a-z_]{1,24}\|>)+\Z")
_ANCHOR = re.compile(r"(?:\banswers?\b[^.\n:=]{0,80}?(?:\bis\b|\bare\b|:|=)|####)[\s:*]*", re.IGNORECASE)
_FORMULA = re.compile(
    r"(?<!\\)\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$(?!\s)((?:\\.|[^$\\\n])+?)\$", re.DOTALL
)
_SENTENCE_END = re.compile(r"[.](?:\s.*)?\Z")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z']{3,}|\bI\b")
NUMBER = re.compile(r"(?<![\w.])-?(?:[0-9][0-9,]*(?:\.[0-9]+)?(?:/[0-9]+)?|\.[0-9]+)")
_CHOICE = re.compile(r"(?<![A-Za-z0-9'])\(?([A-J])\)?(?![A-Za-z0-9'])")


def without_end(response: str) -> str:
    """The response without its end-of-text tokens and what a reasoning model thought aloud before it."""
    response = _END_TOKENS.sub("", response)
    _, _, said = response.rpartition("</think>")
    return said.strip() or response.strip()


def _closing(text: str, start: int) -> int | None:
    """The index of the brace that closes the one before `start`; None if the text ends first."""
    depth = 1
    for token in _TOKEN.finditer(text, start):
        depth += (token[0] == "{") - (token[0] == "}")
        if depth == 0:
            return token.start()
    return None


def boxed_answer(text: str) -> str | None:
    r"""What the last \boxed{…} holds, or the last boxes, joined by commas, where nothing but "and" stands between.

    None if there is no box, it is empty, or the text ends within it.
    """
    boxes: list[tuple[int, int, str]] = []
    for opening in _BOX.finditer(text):
        if boxes and opening.start() < boxes[-1][1]:
            continue  # a box in a box
        end = _closing(text, opening.end())
        boxes.append(
            (
                opening.start(),
                len(text) if end is None else end + 1,
                "" if end is None else text[opening.end() : end].strip(),
            )
        )
    if not boxes or not boxes[-1][2]:
        return None
    answers = [boxes[-1][2]]
    for (_, end, earlier), (start, _, _) in zip(reversed(boxes[:-1]), reversed(boxes), strict=False):
        if not earlier or not _BETWEEN.fullmatch(text, end, start):
            break
        answers.insert(0, earlier)
    return ", ".join(answers)


def has_box(text: str) -> bool:
    return bool(_BOX.search(text)) or "\\boxed" in text


def formulas(text: str, last: bool = True) -> str | None:
    """The last or first formula of a text, with those that only commas, "and" or "or" join to it."""
    found = list(_FORMULA.finditer(text))
    if not found:
        return None
    chosen = [found.pop() if last else found.pop(0)]
    while found:
        left, right = (found[-1], chosen[0]) if last else (chosen[-1], found[0])
        if not _BETWEEN.fullmatch(text, left.end(), right.start()):
            break
        chosen.insert(0, found.pop()) if last else chosen.append(found.pop(0))
    return ", ".join(next(group for group in match.groups() if group).strip() for match in chosen)


def anchored_answer(text: str) -> str | None:
    """What follows the last "answer is", "answer:" or #### on its line."""
    anchors = list(_ANCHOR.finditer(text))
    if not anchors:
        return None
    rest = text[anchors[-1].end() :].lstrip().partition("\n")[0].strip().strip("*").strip()
    return formulas(rest, last=False) or _SENTENCE_END.sub("", rest) or None


def short_answer(text: str) -> str | None:
    """A short response that is nothing but an answer, or a sentence with its number; None for other words."""
    if len(text) > SHORT or not text or "#" in text:  # a heading, or working that was cut off
        return None
    if len(_WORD.findall(text)) < 3:
        return text
    return last_number(text)


def last_number(text: str) -> str | None:
    found = NUMBER.findall(text)
    return found[-1].rstrip(",") if found else None


def last_choice(text: str) -> str | None:
    """The last capital letter A to J that stands alone, "(B)" too; "A" as a word and "I" count only alone."""
    found = _CHOICE.findall(text)
    return found[-1] if found else None


def find_answer(response: str) -> str | None:
    """The answer of format `auto`; None if the response has none."""
    text = without_end(response)
    if has_box(text):
        return boxed_answer(text)
    answer = anchored_answer(text) or formulas(text.rpartition("\n")[2]) or short_answer(text)
    return answer[:MAX_ANSWER] if answer else None
