"""A response so short that it is nothing but an answer, or a sentence that ends in one."""

import re

from openrlhf_unlearn.grading.extract.prose import HEDGE, NUMBER, SENTENCE_END, count_words, plain

SHORT = 400  # characters of a response that may be an answer without any mark
_LEAD = re.compile(
    r"\b(?:so|thus|hence|therefore|finally|then|we|gets?|ha(?:ve|s)|find|obtain|is|are|be|equals?|gives?|yields?)\b[\s,:]*"
    r"|(?<=[A-Za-z]):\s+",
    re.IGNORECASE,
)
_RESULT = re.compile(r"\s{0,9}\$?(-?[0-9][0-9,.]{0,30}(?: [a-z]{3,20})??)(?: in total| altogether)?")
CONCLUDES = re.compile(
    r"\s{0,99}(?:so|thus|hence|therefore|finally|in total|altogether)\b|\s{0,9}(?:答[:：]|所以|因此|故)", re.IGNORECASE
)


def short_answer(text: str) -> str | None:
    """A short response that is nothing but an answer, or a sentence that ends in one; None else."""
    if len(text) > SHORT or "#" in text:  # a heading, or working that was cut off
        return None
    text = plain(text)
    if not text:
        return None
    sentence = _last_sentence(text)
    leads = list(_LEAD.finditer(sentence))
    concludes = CONCLUDES.match(sentence)
    if (leads or concludes) and not HEDGE.search(sentence):
        rest = sentence[leads[-1].end() :].strip() if leads else ""
        if rest and count_words(rest) < 3 and not re.match(r"[A-Za-z]{3,}|[a-z]{2} [a-z]{3}", rest):
            return rest
        if concludes and "\\" not in sentence and (result := _RESULT.fullmatch(sentence.rpartition("=")[2])):
            return result[1]
        numbers = NUMBER.findall(sentence)
        if concludes and len(numbers) == 1 and "\\" not in sentence:
            return numbers[0].rstrip(",")
    return None if leads and count_words(text) >= 3 or "?" in text else _bare(text)


def _bare(text: str) -> str | None:
    """The text, unless it is prose: at most two words, a value first if there is one."""
    return text if count_words(text) < 3 else None


def _last_sentence(text: str) -> str:
    text = text.rstrip()
    text = text[:-1] if text.endswith((".", "。")) else text
    return SENTENCE_END.split(text)[-1].rpartition("\n")[2].strip()
