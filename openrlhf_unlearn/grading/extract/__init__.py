r"""Find: where the answer stands in a response. Text only: no mathematics, nothing that can hang.

In `auto` an answer is, in this order: what the last `\boxed{…}` holds; what `<answer>` tags hold; what follows "the
answer is" or `####`; the formula or bold text that ends the last line; or a response so short that it is nothing but an
answer. A number in passing is none: math-verify takes it, and rewards a derivation that was cut off at a lucky place.
"""

from openrlhf_unlearn.grading.extract.anchors import anchored_answer
from openrlhf_unlearn.grading.extract.boxes import boxed_answer, has_box
from openrlhf_unlearn.grading.extract.endings import last_formula
from openrlhf_unlearn.grading.extract.found import Found
from openrlhf_unlearn.grading.extract.last import last_choice, last_number
from openrlhf_unlearn.grading.extract.locate import find_answer, locate, missing
from openrlhf_unlearn.grading.extract.response import around_the_answer, said
from openrlhf_unlearn.grading.extract.short import short_answer

__all__ = [
    "Found",
    "anchored_answer",
    "around_the_answer",
    "boxed_answer",
    "find_answer",
    "has_box",
    "last_choice",
    "last_formula",
    "last_number",
    "locate",
    "missing",
    "said",
    "short_answer",
]
