r"""Classify: what kind of answer the nodes of a formula are.

    shape(r"x=1 \text{ or } x=2")   # Many of two Relations
    shape("12 cm")                  # Quantity, its unit "cm"

Each file knows some kinds; order.py asks them in turn. No mathematics happens here, and nothing can take long.
"""

from openrlhf_unlearn.grading.classify.order import shape
from openrlhf_unlearn.grading.classify.trim import trimmed

__all__ = ["shape", "trimmed"]
