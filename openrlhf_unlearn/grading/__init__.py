"""Answers → reward and verdict, graded in processes that can be killed. Usable alone:

from openrlhf_unlearn.grading import MathGrader
with MathGrader(workers=2, timeout_s=2.0) as grader:
    grader.grade([r"so \\boxed{1/2}"], ["0.5"])    # [Grade(verdict='correct', reward=1.0, answer='1/2')]
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openrlhf_unlearn.grading.grade import VERDICTS, Grade
    from openrlhf_unlearn.grading.labels import check_labels
    from openrlhf_unlearn.grading.pool import MathGrader, load_grader

__all__ = ["VERDICTS", "Grade", "MathGrader", "check_labels", "load_grader"]
# Resolved at first use: the grading processes import this package too, and need neither pool nor pyarrow.
_HOMES = {"VERDICTS": "grade", "Grade": "grade", "MathGrader": "pool", "check_labels": "labels", "load_grader": "pool"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
