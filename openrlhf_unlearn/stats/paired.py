"""Shares of the same prompts in two runs."""

import numpy as np

from openrlhf_unlearn.stats.means import Z


def paired_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, list[float]]:
    """Share of yes in the first less that in the second, and its 95 % interval; (prompts,) bool each, one or more.

    One prompt more on each side is taken to differ (Bonett and Price 2012): with few prompts that differ, Student's
    interval of the differences is too short, and where all differences are equal there is none.
    """
    n, more, fewer = len(first), int((first & ~second).sum()), int((~first & second).sum())
    middle, differ = (more - fewer) / (n + 2), (more + fewer + 2) / (n + 2)
    half = Z * float(np.sqrt((differ - middle**2) / (n + 2)))
    return (more - fewer) / n, [max(-1.0, middle - half), min(1.0, middle + half)]
