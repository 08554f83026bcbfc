"""Answers → reward and verdict, graded in processes that can be killed. Usable alone:

from openrlhf_unlearn.grading import MathGrader
with MathGrader(workers=2, timeout_s=2.0) as grader:
    grader.grade([r"so \\boxed{1/2}"], ["0.5"])    # [Grade(verdict='correct', reward=1.0, answer='1/2')]
"""

import importlib

# Resolved at first use: the grading processes import this package too, and need neither pool nor pyarrow.
_HOMES = {
    "VERDICTS": "openrlhf_unlearn.grading.grade",
    "Grade": "openrlhf_unlearn.grading.grade",
    "MathGrader": "openrlhf_unlearn.grading.pool",
    "check_labels": "openrlhf_unlearn.grading.labels",
    "load_grader": "openrlhf_unlearn.grading.pool",
}
__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
