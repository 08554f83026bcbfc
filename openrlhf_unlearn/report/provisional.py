"""Groups while training runs, or where an evaluation is missing: read off the training rewards, and said to be so.

A prompt is `easy` if its initial pass rate is, or without an initial evaluation its first visit's; `learnable` or
not by the final evaluation, or without one by the rollouts of the last quarter of its visits; what was not learned is
`no_reward` if no rollout of it was ever positive, else `unlearnable`. With 8 rollouts a visit these are guesses:
classify replaces them.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from openrlhf_unlearn.report.material import Material, Visits

LAST = 0.25  # share of a prompt's visits that stand for the end of training


def provisional_groups(material: "Material") -> np.ndarray:
    """(prompts,) of str; "" for a prompt that was neither visited nor evaluated on both sides."""
    visits, size = material.visits, material.size
    seen = np.bincount(visits.row, minlength=size)
    positives = material.per_prompt(visits.n_positive)
    initial, final = material.tally(material.initial), material.tally(material.final)
    before = initial.rate if initial else first_rate(visits, size)
    after = final.rate if final else last_rate(visits, seen)
    groups = np.full(size, "", dtype=object)
    groups[after >= material.tau] = "learnable"
    groups[after < material.tau] = "unlearnable"
    groups[(seen > 0) & (positives == 0) & ~(after >= material.tau)] = "no_reward"
    groups[before >= material.easy] = "easy"
    if initial:
        groups[(initial.n > 0) & (initial.verdicts.get("bad_label", 0) == initial.n)] = "ungradable"
    return groups


def first_rate(visits: "Visits", size: int) -> np.ndarray:
    """Pass rate of the first visit, (prompts,); nan where there was none."""
    rates = np.full(size, np.nan)
    rates[visits.row[::-1]] = visits.pass_rate[::-1]  # the earliest is written last
    return rates


def last_rate(visits: "Visits", seen: np.ndarray) -> np.ndarray:
    """Pass rate over the last quarter of each prompt's visits, at least one, (prompts,); nan without a visit."""
    order = np.lexsort((visits.step, visits.row))
    row = visits.row[order]
    start = np.concatenate([[0], np.cumsum(seen)[:-1]])
    place = np.arange(len(row)) - start[row]
    late = place >= seen[row] - np.maximum(1, np.ceil(LAST * seen[row]))
    n = np.bincount(row[late], weights=visits.n[order][late], minlength=len(seen))
    positive = np.bincount(row[late], weights=visits.n_positive[order][late], minlength=len(seen))
    return np.divide(positive, n, out=np.full(len(seen), np.nan), where=n > 0)
