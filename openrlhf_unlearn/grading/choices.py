r"""Multiple choice: the letter that an answer chooses, where it chooses exactly one.

Accepted for B: "B", "(b)", "B) 12", "B: twelve", \textbf{(B)}\ 12, "option B". Never: "B, A", "B. C. D.", "A/B",
"(B) and (C)", "not B", "ABCD". A comma never follows a chosen letter.
"""

import re

_WRAPPING = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:bf|rm)|boxed|left|right|[,;:! ]|q?quad)(?![A-Za-z])|[{}$~*`]")
_CHOSEN = re.compile(
    r"\s{0,9}(?:(?:the )?(?:correct |right )?(?:answer|option|choice|选项?|答案)\s{0,9}(?:is|:|：|是|为)?\s{0,9})?"
    r"(?:[(（]\s{0,9}([A-Ja-j])\s{0,9}[)）]|([A-J])(?![A-Za-z0-9^_'])|([a-j])(?=\s{0,9}[).]?\s{0,9}\Z))"
    r"\s{0,9}([).:：、]?)",
    re.IGNORECASE,
)
_ANOTHER = re.compile(r"[(（]\s*[A-J]\s*[)）]|(?<![A-Za-z\\])[B-J](?![A-Za-z0-9'])\s*(?:[).:,;/&]|and\b|or\b|\Z)|"
                      r"(?<![A-Za-z\\])A\s*(?:[).:,;/&]|and\b|or\b|\Z)|\bnot\b|\bor [A-J]\b|\band [A-J]\b")  # fmt: skip


def letter_and_rest(text: str) -> tuple[str, str] | None:
    """("B", "12") of \\textbf{(B)}\\ 12; None if the text does not choose one letter."""
    plain = _WRAPPING.sub(" ", text).strip().rstrip(" .")
    found = _CHOSEN.match(plain)
    if not found:
        return None
    rest = plain[found.end() :].strip()
    if rest and not (found[1] or found[4]) or rest.startswith((",", ";", "/", "&", "+", "-", "=", "^", "_")):
        return None
    if _ANOTHER.search(rest) or re.match(r"(?:and|or)\b", rest):
        return None
    return (found[1] or found[2] or found[3]).upper(), rest


def letter_of(label: str) -> str | None:
    r"""The letter of a label that is one and no more: B, (B), \text{(B)}, "B."; a bare small letter is a variable."""
    found = letter_and_rest(label)
    if not found or found[1]:
        return None
    bare = _WRAPPING.sub(" ", label).strip(" .")
    return None if bare.isalpha() and bare.islower() else found[0]


def chooses(answer: str, label: str) -> str | None:
    """The rule by which an answer is a label that is a letter, or a letter with its value; None if it is not."""
    from openrlhf_unlearn.grading.compare import same

    if letters := letters_of(label):
        return "choices" if letters_of(answer) == letters else None
    gold = letter_and_rest(label)
    if gold is None or gold[1] == "" and letter_of(label) is None:
        return None
    found = letter_and_rest(answer)
    if found is None:
        return "choice" if gold[1] and _MARKED.match(label) and same(answer, gold[1]) else None
    if found[0] != gold[0] or found[1] and gold[1] and not same(found[1], gold[1]):
        return None
    return "choice"


_MARKED = re.compile(r"[\s({\\$]{0,9}(?:text(?:bf)?|math(?:bf|rm))?[\s({]{0,9}[A-J]\s{0,9}[).:]")
_SEVERAL = re.compile(r"[(（]?[A-J][)）]?(?:\s*(?:,|;|and|&|、|和)?\s*[(（]?[A-J][)）]?){1,9}")


def letters_of(text: str) -> set[str] | None:
    """The letters of an answer that is several of them in order, ACD or "A, C and D"; None if it is none."""
    plain = _WRAPPING.sub(" ", text).strip(" .")
    if not _SEVERAL.fullmatch(plain):
        return None
    letters = re.findall("(?<![a-z])[A-J]", plain)
    return set(letters) if len(letters) == len(set(letters)) else None
