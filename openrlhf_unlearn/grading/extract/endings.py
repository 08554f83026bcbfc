"""The formula or bold text that ends a response."""

import re

from openrlhf_unlearn.grading.extract.formulas import ENDS, last_formulas
from openrlhf_unlearn.grading.extract.found import MAX_ANSWER, Found
from openrlhf_unlearn.grading.extract.prose import HEDGE, NUMBER, SENTENCE_END, count_words
from openrlhf_unlearn.grading.extract.short import short_answer

_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")


def last_formula(text: str) -> Found | None:
    """The formula, or what stands in bold, that ends the last line; none that a hedge precedes."""
    line = text[-MAX_ANSWER:] if ENDS.search(text[-30:]) else text.rpartition("\n")[2]
    found, rule = last_formulas(line), "last formula"
    if not found and (bold := list(_BOLD.finditer(line))):
        found, rule = (bold[-1].start(), bold[-1].end(), bold[-1][1]), "bold"
    if not found:
        return None
    start, end, inside = found
    before, after = line[:start].rstrip().rpartition("\n")[2], line[end:].strip(" .*_`\n,;:!")
    before = SENTENCE_END.split(before)[-1]
    if count_words(after) > 2 or NUMBER.search(after) or "?" in line[end:]:
        return None
    if HEDGE.search(before) or HEDGE.search(after):
        return None
    if rule == "bold" and count_words(inside):
        inside = short_answer(inside) or inside
    unit = re.match(r"[a-z]{1,12}$", after)
    return Found(f"{inside} \\text{{ {after} }}" if unit and rule == "last formula" else inside, rule)
