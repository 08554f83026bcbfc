"""Do a prompt's correct rollouts pull where its incorrect ones push, and where the rest of the batch pulls (A.3)?

With binary rewards, b of k rollouts right, GRPO's normalised advantages are √((1−p)/p) for correct and −√(p/(1−p)) for
incorrect rollouts, p = b/k, so a prompt's gradient over its rollouts is √(p(1−p)) · (m_correct − m_incorrect), without
a third pass. Of a hard prompt mostly none of the k is right, so the weight is the mean of √(p(1−p)) over
b ~ Binomial(k, pass rate): at a pass rate of 0.03 and k = 8 less than half of what the pass rate itself would give.
"""

import numpy as np
from scipy import stats

from openrlhf_unlearn.probe.gradient_summary import ARRAYS, Gradients, pick
from openrlhf_unlearn.probe.measures.cosines import blocks, leave_out
from openrlhf_unlearn.probe.measures.noise import jackknife_variance, noise, unseen_half_width
from openrlhf_unlearn.store.probes import Interference


def align(gradients: Gradients, ids: list[str]) -> Gradients:
    """The rows of `ids`, in memory."""
    place = {name: i for i, name in enumerate(gradients.ids)}
    rows = [place[name] for name in ids]
    return Gradients(ids, **{name: pick(getattr(gradients, name), rows) for name in ARRAYS})


def batch_gradient(by_class: dict[str, Gradients], weight: dict[str, float]) -> np.ndarray:
    """Sum over prompts of the GRPO gradient of the negative log-likelihood, (dim,); see the module."""
    total = np.zeros(by_class["correct"].mean.shape[1])
    for kind, sign in (("correct", 1), ("incorrect", -1)):
        gradients = by_class.get(kind)
        if gradients is None:
            continue
        weights = sign * np.array([weight[name] for name in gradients.ids])
        for block in blocks(gradients):
            total += weights[block] @ gradients.mean[block]
    return total


def grpo_weight(rate: np.ndarray, k: int) -> np.ndarray:
    """Mean of √(p(1−p)) over the share p that is right of k rollouts, (prompts,)."""
    right = np.arange(k + 1)
    chance = stats.binom.pmf(right, k, np.asarray(rate, float)[..., None])
    return (chance * np.sqrt(right / k * (1 - right / k))).sum(-1)


def interference(
    by_class: dict[str, Gradients], pass_rate: dict[str, float], stands_for: dict[str, float] | None = None, k: int = 8
) -> list:
    """An `Interference.Row` for each prompt with rollouts of both classes, without its group.

    stands_for: how many prompts each was drawn for, so that the batch is the data set's; k: rollouts that train one.
    """
    if set(by_class) != {"correct", "incorrect"}:
        return []
    own = dict(zip(pass_rate, grpo_weight(np.array(list(pass_rate.values())), k), strict=True))
    batch_weight = {name: value * (stands_for or {}).get(name, 1.0) for name, value in own.items()}
    batch = batch_gradient(by_class, batch_weight).astype(np.float32)
    step = next(blocks(by_class["correct"])).stop
    both = [name for name in by_class["correct"].ids if name in set(by_class["incorrect"].ids)]
    rows = []
    for start in range(0, len(both), step):
        ids = both[start : start + step]
        correct, incorrect = (align(by_class[kind], ids) for kind in ("correct", "incorrect"))
        weights = np.array([batch_weight[name] for name in ids], np.float32)[:, None]
        others = batch - weights * (correct.mean - incorrect.mean)
        values, low, high = within(correct, incorrect)
        identical = np.sum([noise(side).unseen for side in (correct, incorrect)], axis=0) > 0
        plain = _cosine(correct.mean, incorrect.mean)
        to_batch = [_cosine(side.mean, others) for side in (correct, incorrect)]
        for i, name in enumerate(ids):
            known = bool(np.isfinite(values[i]))
            rows.append(
                Interference.Row(
                    prompt_id=name,
                    n_correct=int(correct.n[i]),
                    n_incorrect=int(incorrect.n[i]),
                    within=float(plain[i]),
                    within_corrected=float(values[i]) if known else None,
                    low=float(low[i]) if known else None,
                    high=float(high[i]) if known else None,
                    correct_batch=float(to_batch[0][i]),
                    incorrect_batch=float(to_batch[1][i]),
                    word=("identical rollouts" if identical[i] else "ok") if known else "too few rollouts",
                )
            )
    return rows


def within(a: Gradients, b: Gradients, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise-corrected cosine of row with row of two sets of gradients, and its interval over rollouts: (prompts,) each;
    nan where there are too few rollouts."""
    noises = noise(a), noise(b)
    scale = noises[0].scale * noises[1].scale
    estimate = (a.mean * b.mean).sum(1) * scale
    variance, weight = np.zeros(len(scale)), np.zeros(len(scale))
    for (one, other), own in zip(((a, b), (b, a)), noises, strict=True):
        target = other.sketches.sum(1) / other.n[:, None]
        products = np.einsum("pum,pm->pu", one.sketches, target)[..., None]
        left = leave_out(products, one.counts)[..., 0] * scale[:, None]
        part = jackknife_variance(np.nan_to_num(left - 0.5 * estimate[:, None] * own.shift), own.units)
        variance += part
        weight += part**2 / np.maximum(own.units - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.nan_to_num(stats.t.ppf(0.5 + level / 2, variance**2 / weight)) * np.sqrt(variance)
    for own in noises:
        half = np.hypot(half, unseen_half_width(own, estimate[:, None])[:, 0])
    return estimate, estimate - half, estimate + half


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(1), norms, out=np.zeros(len(a)), where=norms > 0)
