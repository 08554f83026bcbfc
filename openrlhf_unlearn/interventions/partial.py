r"""Partial solutions: the beginning of a worked solution, without its answer.

QuestA (arXiv 2507.13266) puts the first half or quarter of a solution into the question, POPE (2601.18779) a prefix of
it; both then take the help away. The share is of the text before the answer: what is in the last box, or without a
box in a last line of `#### ANSWER` as GSM8K writes it, is never shown, however large the share, since a question that
holds its answer teaches to copy.
"""

import re

_BOX = r"\boxed"
_LAST_LINE = re.compile(r"^[ \t]*####[^\n]*\s*\Z", re.MULTILINE)
_BREAK = re.compile(r"\s+(?=\S*$)")  # the last white space


def working(solution: str) -> str:
    """The solution up to its last box, or without one up to a last line of `####`; all of it where it has neither."""
    return solution[: solution.rindex(_BOX)] if _BOX in solution else _LAST_LINE.sub("", solution)


def prefix(solution: str, share: float) -> str:
    """The first `share` (0 to 1) of the working, in characters, ended at white space where some is near."""
    text = working(solution)
    cut = text[: round(share * len(text))]
    if len(cut) == len(text) or text[len(cut)].isspace():
        return cut.rstrip()
    near = _BREAK.search(cut)
    return cut[: near.start()] if near and near.start() > len(cut) / 2 else cut.rstrip()
