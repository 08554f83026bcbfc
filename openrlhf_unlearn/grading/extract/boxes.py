r"""What the last \boxed{…} of a response holds."""

import re

from openrlhf_unlearn.grading.extract.joints import joined, joint

_TOKEN = re.compile(r"\\.|[{}]", re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)(?:\s*\{|(?![A-Za-z])\s*(?=[^\s{$]))")
_BARE_BOX = re.compile(r"[^\s$\\]+|\\[A-Za-z]+")


def boxed_answer(text: str) -> str | None:
    r"""What the last \boxed{…} holds, or the last boxes, joined by what stands between, where that is only "and".

    None if there is no box, it is empty, or the text ends within it. \boxed 7 holds what TeX gives it and its word.
    """
    boxes: list[tuple[int, int, str]] = []
    for opening in _BOX.finditer(text):
        if boxes and opening.start() < boxes[-1][1]:
            continue  # a box in a box
        boxes.append(_box(text, opening))
    if not boxes or not boxes[-1][2]:
        return None
    pieces = [boxes[-1][2]]
    for (_, end, earlier), (start, _, _) in zip(reversed(boxes[:-1]), reversed(boxes), strict=False):
        if not earlier or not joined(text, end, start):
            break
        pieces += [joint(text[end:start]), earlier]
    return "".join(reversed(pieces))


def _box(text: str, opening: re.Match[str]) -> tuple[int, int, str]:
    """(start, end, inside), the inside empty where the text ends within it."""
    if not opening[0].endswith("{"):
        bare = _BARE_BOX.match(text, opening.end())
        return (opening.start(), bare.end(), bare[0].rstrip(".,;")) if bare else (opening.start(), opening.end(), "")
    end = _closing(text, opening.end())
    if end is None:
        return opening.start(), len(text), ""
    return opening.start(), end + 1, text[opening.end() : end].strip()


def _closing(text: str, start: int) -> int | None:
    """The index of the brace that closes the one before `start`; None if the text ends first."""
    depth = 1
    for token in _TOKEN.finditer(text, start):
        depth += (token[0] == "{") - (token[0] == "}")
        if depth == 0:
            return token.start()
    return None


def has_box(text: str) -> bool:
    return bool(_BOX.search(text)) or "\\boxed" in text
