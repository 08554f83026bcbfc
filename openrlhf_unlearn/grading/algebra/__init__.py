r"""One expression: the number that it plainly is, or what math-verify's parser makes of it, and when two are equal.

The parser of math-verify (latex2sympy2_extended) is given LaTeX written anew from the nodes, with its own clean-up of
raw text off: that clean-up drops units, letters and words, and so takes 3t for 3. math-verify then compares. May hang
or eat memory: call it in a process that can be killed.
"""

from openrlhf_unlearn.grading.algebra.equal import EXACT, certain, equal, near, same_expressions
from openrlhf_unlearn.grading.algebra.expression import expression, imaginary
from openrlhf_unlearn.grading.algebra.names import is_name, letters, names, unevaluated
from openrlhf_unlearn.grading.algebra.numbers import is_decimal, number

__all__ = [
    "EXACT",
    "certain",
    "equal",
    "expression",
    "imaginary",
    "is_decimal",
    "is_name",
    "letters",
    "names",
    "near",
    "number",
    "same_expressions",
    "unevaluated",
]
