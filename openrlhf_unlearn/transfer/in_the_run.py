"""Did the run teach whom its gradients pointed out before training, and better than the pass rate tells?

GRPO trains on all prompts at once. To first order it changes the pass rate of prompt q in proportion to

    p_q · L_q · Σ_p≠q t_p · m_q

with t_p the GRPO gradient of every other prompt, m_q the gradient of q's own correct rollouts, p_q its pass rate and
L_q their length. q's own gradient is left out, since its noise would be on both sides. A long training goes beyond the
first order, so ranks are compared, with the pass rate after training: its change would hold the noise of p_q with the
other sign. The prediction holds p_q, which alone tells much of what will be learned: it counts by what it adds to that.
Only hard prompts enter, the question being about these.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from openrlhf_unlearn.transfer.predict import row_blocks

FEWEST = 20  # hard prompts, below which nothing is told
DRAWS = 2000


@dataclass(frozen=True)
class InTheRun:
    """Rank correlations with the pass rate after training over `prompts` hard prompts, each (value, low, high), 95 %
    over prompts: of the prediction, of the pass rate before, and of the first less the second."""

    prompts: int
    predicted: tuple[float, float, float]
    pass_rate: tuple[float, float, float]
    ahead: tuple[float, float, float]


def predicted_change(train: Any, feel: Any, per_token: np.ndarray) -> np.ndarray:
    """(prompts,) change of the pass rate that training on all others makes, up to a factor. per_token: p_q · L_q."""
    total = sum(train[block].sum(0, dtype=np.float64) for block in row_blocks(feel.shape)).astype(np.float32)
    others = [feel[block] @ total - np.einsum("pd,pd->p", train[block], feel[block]) for block in row_blocks(feel.shape)]
    return per_token * np.concatenate(others)


def in_the_run(predicted: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int = 0) -> InTheRun | None:
    """predicted, before, after: (prompts,) of hard prompts; None where they are too few, or one does not vary."""
    if len(after) < FEWEST or any(np.ptp(values) == 0 for values in (predicted, before, after)):
        return None
    rng = np.random.default_rng(seed)
    whole = _correlations(*(values[None] for values in (predicted, before, after)))[0]
    rows = rng.integers(0, len(after), (DRAWS, len(after)))
    low, high = np.nanpercentile(_correlations(predicted[rows], before[rows], after[rows]), [2.5, 97.5], axis=0)
    return InTheRun(len(after), *((float(v), float(a), float(b)) for v, a, b in zip(whole, low, high, strict=True)))


def _correlations(predicted: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(draws, 3) rank correlations with `after` of the first two, and their difference; (draws, prompts) each."""
    ranks = [stats.rankdata(values, axis=1) for values in (predicted, before, after)]
    centred = [rank - rank.mean(1, keepdims=True) for rank in ranks]
    with np.errstate(invalid="ignore"):  # a draw of equal values has none
        unit = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in centred]
    mine, theirs = ((values * unit[2]).sum(1) for values in unit[:2])
    return np.stack([mine, theirs, mine - theirs], 1)


def sentences(found: InTheRun | None) -> list[str]:
    """What the run says; nothing where nothing is told."""
    if found is None:
        return []
    mine, theirs, ahead = (
        f"{v:.2f} ({a:.2f} to {b:.2f})" for v, a, b in (found.predicted, found.pass_rate, found.ahead)
    )
    compared = f"rank correlation {mine} over {found.prompts} hard prompts, that of the pass rate before {theirs}"
    if found.predicted[1] <= 0:
        return [f"Whom the run taught is not shown to be predicted: {compared}."]
    if found.ahead[1] > 0:
        return [f"Whom the run taught was predicted, beyond what the pass rate tells: {compared}, difference {ahead}."]
    return [f"Whom the run taught was predicted, not shown beyond the pass rate: {compared}, difference {ahead}."]
