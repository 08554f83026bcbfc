r"""Compare: whether an answer and a label of known shapes are the same, and the rule that says so.

Runs inside a grading process. Only like is compared with like: what has no rule here is wrong, so that an answer that
says more than its label (another value, a relation, a word) never passes. rules.py has every rule with examples.
"""

from openrlhf_unlearn.grading.compare.decide import decide, same, why_not

__all__ = ["decide", "same", "why_not"]
