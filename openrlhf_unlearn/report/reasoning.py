"""What judges gave: the quality of the reasoning that led to correct answers, from 0 to 5."""

import numpy as np

from openrlhf_unlearn.report.material import Material


def rollout_scores(material: Material, tag: str) -> tuple[np.ndarray, np.ndarray]:
    """Prompt's row and mean score of every judged rollout of an evaluation, (rollouts,) each.

    A rollout counts once, however often it was judged and by whom.
    """
    table = material.judgements[tag]
    rows, given = table.places(material.ids), table.score.astype(float)
    known = (rows >= 0) & np.isfinite(given)
    pairs = np.stack([rows[known], table.sample[known]], 1)
    rollouts, place = np.unique(pairs, axis=0, return_inverse=True)
    return rollouts[:, 0], mean_of(place.ravel(), given[known], len(rollouts))


def prompt_scores(material: Material, tag: str) -> np.ndarray:
    """Mean score of each prompt's rollouts, (prompts,), nan where none was judged: a prompt counts once."""
    return mean_of(*rollout_scores(material, tag), material.size)


def reasoning(material: Material) -> np.ndarray:
    """Scores before training, else at the first evaluation that was judged, (prompts,)."""
    tags = list(material.judgements)
    if not tags:
        return np.full(material.size, np.nan)
    return prompt_scores(material, material.initial if material.initial in tags else tags[0])


def mean_of(place: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Mean of the values at each place, (size,), nan where there is none."""
    n, total = np.bincount(place, minlength=size), np.bincount(place, weights=values, minlength=size)
    return np.divide(total, n, out=np.full(size, np.nan), where=n > 0)
