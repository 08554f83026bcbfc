"""Is there a low-dimensional subspace that the outliers miss? Each group's spectrum, and the energy it captures."""

from collections.abc import Sequence

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients, pick
from openrlhf_unlearn.probe.measures.noise import noise
from openrlhf_unlearn.stats.means import Z

MOST = 500  # prompts of a group that its spectrum is of
DIRECTIONS = 10


def spectra(gradients: Gradients, groups: Sequence[str], seed: int = 0) -> dict[str, dict]:
    """By group: effective_rank, exp of the entropy of the eigenvalues' shares, and the shares of the first ones, of the
    Gram matrix of mean gradients at length 1; as many prompts of each group, so that the ranks compare."""
    labels = np.array(groups)
    names = [name for name in sorted(set(groups) - {""}) if (labels == name).sum() >= 5]
    if not names:
        return {}
    size = min(MOST, *[int((labels == name).sum()) for name in names])
    rng = np.random.default_rng(seed)
    result = {}
    for name in names:
        rows = np.sort(rng.permutation(np.flatnonzero(labels == name))[:size])
        values = np.linalg.eigvalsh(gram := _gram(_rows(gradients, rows)))[::-1]
        shares = np.clip(values, 0, None) / np.trace(gram)
        entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum()
        shown = [float(s) for s in shares[:DIRECTIONS]]
        result[name] = {"prompts": size, "effective_rank": float(np.exp(entropy)), "shares": shown}
    return result


def captured(gradients: Gradients, groups: Sequence[str], seed: int = 0) -> dict[str, dict]:
    """By group: the share of the gradients' squared norm, noise taken out of both, inside the span of the first
    directions of easy and learnable prompts' gradients; a prompt's own gradient never shapes the directions it is held
    against. The share is over that of the easy and learnable themselves, which directions found from noisy gradients
    lower just as much. Empty with fewer than 4 · DIRECTIONS such prompts."""
    labels, found = np.array(groups), noise(gradients)
    base = np.random.default_rng(seed).permutation(np.flatnonzero(np.isin(labels, ("easy", "learnable"))))[: 2 * MOST]
    if len(base) < 4 * DIRECTIONS:
        return {}
    halves = np.sort(base[::2]), np.sort(base[1::2])
    spans = [_span(gradients, rows) for rows in halves]
    rows = base[np.isfinite(found.norm2[base])]
    if not len(rows) or (reference := _share(gradients, rows, halves, spans, found.norm2)) <= 0:
        return {}
    result = {}
    for name in sorted(set(groups) - {""}):
        rows = np.flatnonzero((labels == name) & np.isfinite(found.norm2))
        if len(rows) < 5:
            continue
        inside = np.array([_inside(gradients, row, spans[int(row in halves[0])]) for row in rows]) / reference
        norm2 = found.norm2[rows]
        left = (inside.sum() - inside) / (norm2.sum() - norm2)
        error = np.sqrt((len(rows) - 1) / len(rows) * ((left - left.mean()) ** 2).sum())
        share = float(inside.sum() / norm2.sum())
        result[name] = {"share": share, "low": share - Z * error, "high": share + Z * error, "prompts": len(rows)}
    return result


def _share(gradients: Gradients, rows: np.ndarray, halves, spans, norm2: np.ndarray) -> float:
    inside = sum(_inside(gradients, row, spans[int(row in halves[0])]) for row in rows)
    return float(inside / norm2[rows].sum())


def _rows(gradients: Gradients, rows: np.ndarray) -> np.ndarray:
    """Mean gradients, sketched, at length 1: (rows, sketch)."""
    means = pick(gradients.sketches, rows).sum(1)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-30)


def _gram(vectors: np.ndarray) -> np.ndarray:
    return (vectors @ vectors.T).astype(float)


def _span(gradients: Gradients, rows: np.ndarray) -> np.ndarray:
    """(sketch, DIRECTIONS) orthonormal: the directions that most of these gradients' squared length lies in."""
    vectors = _rows(gradients, rows)
    values, left = np.linalg.eigh(_gram(vectors))
    return np.linalg.qr(vectors.T @ left[:, -DIRECTIONS:])[0]


def _inside(gradients: Gradients, row: int, span: np.ndarray) -> float:
    """Squared norm of a prompt's gradient inside the span, without the noise's."""
    counts = np.asarray(gradients.counts)[row].astype(float)
    units = pick(gradients.sketches, [row])[0] @ span
    return float(((units.sum(0) ** 2).sum() - (units**2).sum()) / (counts.sum() ** 2 - (counts**2).sum()))
