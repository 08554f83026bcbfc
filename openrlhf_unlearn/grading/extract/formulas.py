r"""The formulas of a text: $…$, $$…$$, \[…\], \(…\) and LaTeX's environments for display."""

import re

from openrlhf_unlearn.grading.extract.joints import joined, joint

_OPENING = re.compile(r"\\begin\{(?:align|equation|gather|eqnarray)\*?\}|\\.|\$\$|\$(?!\s)|\$(?=\s*\n)", re.DOTALL)
_CLOSINGS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
ENDS = re.compile(
    r"(?:\$\$|\\\]|\\end\{(?:align|equation|gather|eqnarray)\*?\})\.?\Z"
)  # of a display at the text's end
_DOLLARS = re.compile(r"(?<=\$)((?:\\.|[^$\\\n])+)\$")


def formulas(text: str) -> list[tuple[int, int, str]]:
    """(start, end, inside) of each formula, in time linear in the text; an environment's rows stay rows."""
    found: list[tuple[int, int, str]] = []
    never: set[str] = set()  # marks that nothing closes any more
    at = 0
    while opening := _OPENING.search(text, at):
        mark, at = opening[0], opening.end()
        if mark == "$" and (dollars := _DOLLARS.match(text, at)):
            found.append((opening.start(), dollars.end(), dollars[1].strip()))
            at = dollars.end()
        elif (mark in _CLOSINGS or len(mark) > 2) and mark not in never:
            closing = _CLOSINGS.get(mark) or mark.replace("begin", "end")
            end = text.find(closing, at + 1)
            if end < 0:
                never.add(mark)
                continue
            inside = text[at:end].strip()
            inside = rf"\begin{{aligned}}{inside}\end{{aligned}}" if len(mark) > 2 else inside
            at = end + len(closing)
            found.append((opening.start(), at, inside))
    return found


def last_formulas(text: str) -> tuple[int, int, str] | None:
    """(start, end, inside) of the last formula of a text, with those that only commas, "and" or "or" join to it."""
    found = formulas(text)
    if not found:
        return None
    start, end, inside = found[-1]
    pieces = [inside]
    for formula in reversed(found[:-1]):
        if not joined(text, formula[1], start):
            break
        pieces += [joint(text[formula[1] : start]), formula[2]]
        start = formula[0]
    return start, end, "".join(reversed(pieces))


def first_formulas(text: str) -> tuple[int, str] | None:
    """(end, inside) of a text's first formulas, if it begins with them."""
    found = formulas(text)
    if not found or text[: found[0][0]].strip(" \n\t*_`("):
        return None
    _, end, inside = found[0]
    pieces = [inside]
    for formula in found[1:]:
        if not joined(text, end, formula[0]):
            break
        pieces += [joint(text[end : formula[0]]), formula[2]]
        end = formula[1]
    return end, "".join(pieces)
