"""Did the run teach whom its gradients pointed out before training?

GRPO trains on all prompts at once. To first order it changes the pass rate of prompt q in proportion to

    p_q · L_q · Σ_p≠q t_p · m_q

with t_p the GRPO gradient of every other prompt, m_q the gradient of q's own correct rollouts, p_q its pass rate and
L_q their length. q's own gradient is left out, since its noise would be on both sides. A long training goes beyond the
first order, so ranks are compared, with the pass rate after training: its change would hold the noise of p_q with the
other sign. Only hard prompts enter, the question being about these. Among them the pass rate before hardly differs, so
to be ahead of it is no merit: it is given, and nothing is claimed of it.

Prompts of a cluster are learned together, so they are no independent points: intervals leave out one cluster at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from openrlhf_unlearn.probe.measures.between_rollouts import row_blocks
from openrlhf_unlearn.transfer.predict import LEVEL

FEWEST = 20  # hard prompts, below which nothing is told
FEWEST_CLUSTERS = 8  # of them, the same


@dataclass(frozen=True)
class InTheRun:
    """Rank correlations with the pass rate after training over `prompts` hard prompts, each (value, low, high), 95 %
    over clusters: of the prediction, of the pass rate before, and of the first less the second."""

    prompts: int
    clusters: int
    predicted: tuple[float, float, float]
    pass_rate: tuple[float, float, float]
    ahead: tuple[float, float, float]


def predicted_change(train: Any, feel: Any, per_token: np.ndarray) -> np.ndarray:
    """(prompts,) change of the pass rate that training on all others makes, up to a factor. per_token: p_q · L_q."""
    total = np.sum([train[block].sum(0, dtype=float) for block in row_blocks(feel.shape)], axis=0).astype(np.float32)
    every = np.concatenate([feel[block] @ total for block in row_blocks(feel.shape)])
    own = np.concatenate([np.einsum("pd,pd->p", train[block], feel[block]) for block in row_blocks(feel.shape)])
    return per_token * (every - own)


def in_the_run(
    predicted: np.ndarray, before: np.ndarray, after: np.ndarray, clusters: Sequence[str]
) -> InTheRun | None:
    """predicted, before, after, clusters: (prompts,) of hard prompts; those of the cluster "" are left out. None where
    prompts or clusters are too few, or one does not vary."""
    of = np.array(clusters)
    values = np.stack([predicted, before, after])[:, of != ""]
    of = of[of != ""]
    names = np.unique(of)
    if len(of) < FEWEST or len(names) < FEWEST_CLUSTERS or (np.ptp(values, axis=1) == 0).any():
        return None
    whole = _correlations(*values)
    left = np.array([_correlations(*values[:, of != name]) for name in names])
    error = np.sqrt((len(names) - 1) / len(names) * ((left - left.mean(0)) ** 2).sum(0))
    half = stats.t.ppf(0.5 + LEVEL / 2, len(names) - 1) * error
    low, high = whole - half, whole + half
    low[:2], high[:2] = np.maximum(low[:2], -1), np.minimum(high[:2], 1)  # correlations; the last is a difference
    if not np.isfinite(half).all():
        return None
    ends = zip(whole.tolist(), low.tolist(), high.tolist(), strict=True)
    return InTheRun(len(of), len(names), *ends)


def _correlations(predicted: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rank correlations with `after` of the first two, and their difference; nan where one does not vary."""
    ranks = np.stack([stats.rankdata(values) for values in (predicted, before, after)])
    centred = ranks - ranks.mean(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    mine, theirs = unit[:2] @ unit[2]
    return np.array([mine, theirs, mine - theirs])


def sentences(found: InTheRun | None) -> list[str]:
    """What the run says; nothing where nothing is told."""
    if found is None:
        return []
    mine, theirs = (f"{v:.2f} ({a:.2f} to {b:.2f})" for v, a, b in (found.predicted, found.pass_rate))
    compared = (
        f"rank correlation {mine} over {found.prompts} hard, probed prompts of {found.clusters} clusters; that of the "
        f"pass rate before, which hardly differs among these, {theirs}"
    )
    if found.predicted[1] <= 0:
        return [f"Whom the run taught is not shown to be predicted: {compared}."]
    return [f"Whom the run taught was predicted: {compared}."]
