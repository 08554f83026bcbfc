"""The last number or letter, whatever stands around it: for formats that ask for no more."""

import re

from openrlhf_unlearn.grading.extract.prose import NUMBER

_CHOICE = re.compile(r"(?<![A-Za-z0-9'])([A-J])(?![A-Za-z0-9'])|\(([a-j])\)")


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
