"""While training runs: how many prompts are expected not to be learned by its end (causes/early.py)."""

from functools import lru_cache
from typing import Any, TypedDict

import numpy as np

from openrlhf_unlearn.causes.early import by_group, not_learned
from openrlhf_unlearn.causes.kin import POOL, nearest
from openrlhf_unlearn.collect.history import histories
from openrlhf_unlearn.report.material import Material
from openrlhf_unlearn.report.numbers import Sentence

LEAST = 2  # visits a prompt, on average, before anything is said


class Outlook(TypedDict):
    """What the summary keeps: the share of training that is over, and group → prompts, expected share and how many are
    95 % sure."""

    done: float
    groups: dict[str, dict[str, Any]]


def outlook(material: Material) -> Outlook | None:
    """None once training or a final evaluation is done, before LEAST visits a prompt, or where the run does not say its
    length."""
    visits, episodes = material.visits, material.config.flag("train.num_episodes")
    if material.tally(material.final) is not None or not isinstance(episodes, int) or episodes < 1:
        return None
    of_first = visits.run == 0
    seen = np.bincount(visits.row[of_first], minlength=material.size)
    if not seen.any() or seen[seen > 0].mean() < LEAST:
        return None
    done = float(seen[seen > 0].mean()) / episodes
    if done >= 1:
        return None
    past = histories(visits.row[of_first], visits.n[of_first], visits.n_positive[of_first], material.size)
    near = None
    if material.size <= POOL:  # of more, to find everyone's kin takes longer than what it adds is worth
        near = _kin(tuple(text or "" for text in material.prompts.prompt))
    return {"done": done, "groups": by_group(not_learned(past, done, near), material.curve_groups)}


@lru_cache(maxsize=1)
def _kin(texts: tuple[str, ...]) -> list[np.ndarray]:
    """Found once where training is watched: its prompts stay the same from page to page."""
    return nearest(list(texts), np.arange(len(texts)))


def sentence(found: Outlook | None) -> Sentence | None:
    """What to expect of the prompts that are hard, or of all where no evaluation tells which these are."""
    group = next((name for name in ("hard", "all") if found and name in found["groups"]), None)
    if found is None or group is None:
        return None
    row = found["groups"][group]
    numbers = {"prompts": row["prompts"], "expected": row["prompts"] * row["expected"], "sure": row["sure"]}
    hard = "hard " * (group == "hard")
    text = (
        "After {done:percent} of training about {expected:small} of {prompts:count} "
        f"{hard}{{prompts:prompt is|prompts are}} expected not to be learned by its end, "
        "{sure:count} at a probability of 95 % or more."
    )
    return text, numbers | {"done": found["done"]}
