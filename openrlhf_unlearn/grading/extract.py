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
_NEAR = 40  # characters, at most, between answers that belong together
_BETWEEN = re.compile(r"[\s$]*(?:[,;]|[,;]?\s*(?:\\(?:text|mathrm)\s*\{)?\s*(?:and|or)\b\s*\}?)[\s$]*")
_END_TOKEN = re.compile(r"<(?:eos|pad|/s|end_of_turn|[|｜][^<>|｜\s]{1,24}[|｜])>\Z")
_ANCHOR = re.compile(r"(?:\banswers?\b[^.\n:=]{0,80}?(?:\bis\b|\bare\b|:|=)|####)[\s:*]*", re.IGNORECASE)
_OPENING = re.compile(r"\\.|\$\$|\$(?!\s)", re.DOTALL)
_CLOSINGS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
_DOLLARS = re.compile(r"((?:\\.|[^$\\\n])+)\$")
_SENTENCE_END = re.compile(r"[.](?:\s.*)?\Z")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z']{3,}|\bI\b")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[a-z*]+\}")
_LEAD = re.compile(
    r"\b(?:so|thus|hence|therefore|finally|then|we|gets?|ha(?:ve|s)|find|obtain|is|are|be|equals?|gives?|yields?)\b[\s,:]*"
    r"|:\s+",
    re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w.])-?(?:[0-9][0-9,]*(?:\.[0-9]+)?(?:/[0-9]+)?|\.[0-9]+)")
_CHOICE = re.compile(r"(?<![A-Za-z0-9'])([A-J])(?![A-Za-z0-9'])|\(([a-j])\)")


def around_the_answer(response: str, limit: int, box: bool = True) -> str:
    """At most `limit` characters: the end, or, with `box`, the last box and what follows it if it stands earlier."""
    start = max(len(response) - limit, 0)
    if start and box and "\\boxed" not in response[start:]:
        earlier = response.rfind("\\boxed")
        start = start if earlier < 0 else earlier
    return response[start : start + limit]


def without_end(response: str) -> str:
    """The response without its end-of-text tokens and what a reasoning model thought aloud before it."""
    response = response.rstrip()
    while token := _END_TOKEN.search(response, max(len(response) - _NEAR, 0)):
        response = response[: token.start()].rstrip()
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
        if not earlier or not _joined(text, end, start):
            break
        answers.insert(0, earlier)
    return ", ".join(answers)


def has_box(text: str) -> bool:
    return bool(_BOX.search(text)) or "\\boxed" in text


def _joined(text: str, end: int, start: int) -> bool:
    """Whether nothing but a comma, "and" or "or" stands between two answers."""
    return start - end <= _NEAR and bool(_BETWEEN.fullmatch(text, end, start))


def _formulas(text: str) -> list[tuple[int, int, str]]:
    r"""(start, end, inside) of each $…$, $$…$$, \[…\] and \(…\), in time linear in the text."""
    found, never, at = [], set(), 0
    while opening := _OPENING.search(text, at):
        mark, at = opening[0], opening.end()
        if mark == "$" and (dollars := _DOLLARS.match(text, at)):
            found.append((opening.start(), dollars.end(), dollars[1].strip()))
            at = dollars.end()
        elif mark in _CLOSINGS and mark not in never:
            end = text.find(_CLOSINGS[mark], at + 1)
            if end < 0:
                never.add(mark)
                continue
            found.append((opening.start(), end + 2, text[at:end].strip()))
            at = end + 2
    return found


def formulas(text: str, last: bool = True) -> str | None:
    """The last or first formula of a text, with those that only commas, "and" or "or" join to it."""
    found = _formulas(text)[:: -1 if last else 1]
    if not found:
        return None
    chosen = found[:1]
    for formula in found[1:]:
        left, right = (formula, chosen[-1]) if last else (chosen[-1], formula)
        if not _joined(text, left[1], right[0]):
            break
        chosen.append(formula)
    return ", ".join(inside for _, _, inside in (reversed(chosen) if last else chosen))


def anchored_answer(text: str) -> str | None:
    """What follows the last "answer is", "answer:" or #### on its line."""
    anchors = list(_ANCHOR.finditer(text))
    if not anchors:
        return None
    rest = text[anchors[-1].end() :].lstrip().partition("\n")[0].strip().strip("*").strip()
    return formulas(rest, last=False) or _SENTENCE_END.sub("", rest) or None


def short_answer(text: str) -> str | None:
    """A short response that is nothing but an answer, a sentence's end that is one, or its number; None else."""
    if len(text) > SHORT or not text or "#" in text:  # a heading, or working that was cut off
        return None
    leads = list(_LEAD.finditer(text))
    rest = _SENTENCE_END.sub("", text[leads[-1].end() :]) if leads else ""
    if rest and not _words(rest):
        return rest
    return text if _words(text) < 3 else last_number(text)


def _words(text: str) -> int:
    return len(_WORD.findall(_ENVIRONMENT.sub("", text)))


def last_number(text: str) -> str | None:
    found = NUMBER.findall(text.replace("\N{MINUS SIGN}", "-"))
    return found[-1].rstrip(",") if found else None


def last_choice(text: str) -> str | None:
    """The last letter A to J that stands alone: a capital, (b), or any that is the whole text; "A" as a word counts."""
    alone = text.strip(" ().$*")
    if len(alone) == 1 and alone.upper() in "ABCDEFGHIJ":
        return alone.upper()
    found = _CHOICE.findall(text)
    return (found[-1][0] or found[-1][1].upper()) if found else None


def find_answer(response: str) -> str | None:
    """The answer of format `auto`; None if the response has none."""
    text = without_end(response)
    if has_box(text):
        return boxed_answer(text)
    answer = anchored_answer(text) or formulas(text.rpartition("\n")[2]) or short_answer(text)
    return answer[:MAX_ANSWER] if answer else None
