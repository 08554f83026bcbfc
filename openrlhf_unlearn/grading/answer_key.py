"""The answer of a response as a short key, so that equal answers are counted together without a grader.

Only layout is taken out: 1/2 and 0.5 stay two answers, which makes a majority look smaller, never larger.
"""

import hashlib
import re

from openrlhf_unlearn.grading.extract import around_the_answer, find_answer, last_number, said

LONGEST = 4000  # characters around the answer that are searched
_LAYOUT = re.compile(r"\s+|\\[,;:! ]|\\(?:left|right|displaystyle)(?![A-Za-z])|\$|(?<=\d),(?=\d{3})")


def answer_of(response: str) -> str | None:
    """What the response gives as its answer, as it stands there; None if nothing."""
    found = find_answer(around_the_answer(response, LONGEST))
    return found.strip() or None if found else None


def number_of(response: str) -> str | None:
    """The last number of a response without an answer: what a lenient reader might take."""
    return last_number(said(around_the_answer(response, LONGEST)))


def key(answer: str) -> str:
    """8 hex digits, the same for writings that differ only in layout."""
    text = _LAYOUT.sub("", answer).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").rstrip(".")
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
