"""Answers → reward and verdict, graded in processes that can be killed. Usable alone:

from openrlhf_unlearn.grading import MathGrader
with MathGrader(workers=2, timeout_s=2.0) as grader:
    grader.grade([r"so \\boxed{1/2}"], ["0.5"])    # [Grade(verdict='correct', reward=1.0, answer='1/2')]
"""

from openrlhf_unlearn.grading.grade import Grade
from openrlhf_unlearn.grading.pool import MathGrader, check_labels, load_grader
from openrlhf_unlearn.run_dir import VERDICTS

__all__ = ["VERDICTS", "Grade", "MathGrader", "check_labels", "load_grader"]
