"""How alike prompts' gradients are: the plain cosine, and the one without the noise of few rollouts.

Mean cosines need no matrix of all pairs: the mean over others of m_p · m_q is m_p against one sum. So cost and memory
grow with the number of prompts, not its square, and files larger than memory are read a block of prompts at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.measures.between_rollouts import Agreement, of_one_rollout, reliability
from openrlhf_unlearn.probe.measures.between_rollouts import blocks as blocks
from openrlhf_unlearn.probe.measures.noise import Noise, jackknife_variance, noise, unseen_half_width


@dataclass(frozen=True)
class Similarity:
    """Mean cosine of each prompt's gradient to the others': of all prompts (column 0), then of each of `groups`.

    plain, corrected, low, high: (prompts, 1 + groups); the last three nan where there are too few rollouts (low and
    high are a 95 % interval over rollouts). enough: (prompts,). Plain and corrected means are over the same others:
    those that have too few rollouts by themselves are corrected by what their group's have in common.
    words: (prompts,) "ok", "identical rollouts" or "too few rollouts".
    """

    ids: list[str]
    groups: list[str]
    n: np.ndarray
    plain: np.ndarray
    corrected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    enough: np.ndarray
    words: np.ndarray


def similarity(gradients: Gradients, groups: Sequence[str] | None = None, level: float = 0.95) -> Similarity:
    """Mean cosines of each prompt to all others, and with `groups`, (prompts,), a name each, to each group's others."""
    names = sorted(set(groups or ()) - {""})
    members = np.ones((len(gradients.ids), 1 + len(names)))
    for column, name in enumerate(names, 1):
        members[:, column] = np.array(groups) == name
    found = noise(gradients)
    norm = np.sqrt(np.asarray(gradients.dots).sum(1)) / gradients.n
    with np.errstate(divide="ignore", invalid="ignore"):
        plain_scale = np.where(norm > 0, 1 / norm, 0)
    scale = np.where(found.enough, found.scale, _common_scale(gradients, plain_scale, members[:, 1:]))
    plain, corrected = _mean_cosines(gradients, members, norm, plain_scale, scale)
    with np.errstate(invalid="ignore"):
        half = _half_widths(gradients, members * (scale > 0)[:, None], found, scale, corrected, level)
    corrected = np.where(found.enough[:, None], corrected, np.nan)
    low, high = corrected - half, corrected + half
    return Similarity(list(gradients.ids), names, gradients.n, plain, corrected, low, high, found.enough, found.words)


def _common_scale(gradients, plain_scale, members) -> np.ndarray:
    """What each mean is multiplied by if its rollouts are as noisy as its group's are, (prompts,); 0 if not known."""
    agreement, scale = Agreement(gradients), np.zeros(len(plain_scale))
    for mine in (np.ones(len(scale), bool), *(members.T > 0)):
        if np.isfinite(rollout := of_one_rollout(agreement, mine)):
            scale[mine] = (plain_scale / np.sqrt(reliability(rollout, gradients.n)))[mine]
    return scale


def _mean_cosines(gradients, members, norm, *scales) -> list[np.ndarray]:
    """For each scale, (prompts,) with 0 for prompts to leave out, the (prompts, columns) mean over others."""
    weights = [members * scale[:, None] for scale in scales]
    stacked = np.concatenate(weights, 1).astype(np.float32)
    sums = np.zeros((stacked.shape[1], gradients.mean.shape[1]), np.float32)
    for block in blocks(gradients):
        sums += stacked[block].T @ gradients.mean[block]
    products = np.concatenate([gradients.mean[block] @ sums.T for block in blocks(gradients)])
    results = []
    for weight, scale, product in zip(weights, scales, np.split(products, len(scales), 1), strict=True):
        others = (weight > 0).sum(0) - (weight > 0)
        total = scale[:, None] * (product - weight * (norm**2)[:, None])
        results.append(np.divide(total, others, out=np.full(total.shape, np.nan), where=others > 0))
    return results


def _half_widths(gradients, members, found: Noise, scale, estimate, level: float) -> np.ndarray:
    """Half the interval: by leaving out each unit of the prompt; the others' own noise, averaged over them; and what
    was not seen of a prompt with identical rollouts."""
    weights = members * scale[:, None]
    sums = np.zeros((members.shape[1], gradients.sketches.shape[2]))
    n = gradients.n
    for block in blocks(gradients, "sketches"):
        sums += (weights[block] / n[block, None]).T @ gradients.sketches[block].sum(1)
    others = np.maximum(members.sum(0) - members, 1)
    variance = np.zeros(members.shape)
    for block in blocks(gradients, "sketches"):
        units = gradients.sketches[block]
        total = units.sum(1)
        own = np.einsum("pum,pm->pu", units, total) / n[block, None]
        products = units @ sums.T.astype(units.dtype) - own[..., None] * weights[block, None]
        left = leave_out(products, gradients.counts[block]) * (scale[block, None] / others[block])[:, None]
        deviations = left - 0.5 * estimate[block, None] * found.shift[block, :, None]
        variance[block] = jackknife_variance(np.nan_to_num(deviations), found.units[block])
    df = np.maximum(found.units - 1, 1)[:, None]
    unseen = unseen_half_width(found, estimate)
    known = found.units > 1
    own_noise = variance[:, 0] + (unseen[:, 0] / 2) ** 2
    own_noise = np.where(known, own_noise, own_noise[known].max(initial=0))[:, None]
    theirs = _of_others(members, own_noise) / others**2
    theirs2 = _of_others(members, own_noise**2 / df) / others**4
    with np.errstate(divide="ignore"):
        df = (variance + theirs) ** 2 / (variance**2 / df + theirs2)
    seen = np.nan_to_num(stats.t.ppf(0.5 + level / 2, df)) * np.sqrt(variance + theirs)
    return np.hypot(seen, unseen)


def _of_others(members: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum of the others' values, (prompts, 1), in each column: (prompts, columns)."""
    weighed = members * values
    return weighed.sum(0) - weighed


def leave_out(products: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(prompts, units, k) inner products of units' sums with vectors → those of the mean without each unit, centred
    over units; 0 past the last unit."""
    there = (counts > 0)[..., None]
    rest = np.maximum(counts.sum(1, keepdims=True) - counts, 1)[..., None]
    left = np.where(there, (products.sum(1, keepdims=True) - products) / rest, 0)
    return np.where(there, left - left.sum(1, keepdims=True) / np.maximum(there.sum(1, keepdims=True), 1), 0)
