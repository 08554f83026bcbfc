"""Which prompts belong together: by datasource, by a file, or by their gradients."""

from pathlib import Path

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, read_object
from openrlhf_unlearn.transfer.predict import LEAST
from openrlhf_unlearn.transfer.vectors import halves

MOST = 12  # clusters that are tried
COMPONENTS = 20
SEPARATED = 0.05  # silhouette, below which gradients fall into no clusters
DRAWS = 20  # of points without clusters, all of which the silhouette must be above
MOST_DRAWN = 1000  # points of a draw; fewer have a higher silhouette, if anything


def by_datasource(run: RunDir) -> dict[str, str]:
    """Prompt id → datasource."""
    prompts = Prompts.read(run, Prompts.prompt_id, Prompts.datasource)
    return dict(zip(prompts.prompt_id, prompts.datasource, strict=True))


def by_file(path: Path) -> dict[str, str]:
    """Prompt id → name, from a JSON object of these. Raises UserError for another file."""
    found = read_object(path)
    if not found or not all(isinstance(name, str) for name in found.values()):
        raise UserError(f"--clusters {path}: wanted an object of prompt ids and names of their clusters")
    return found


def by_gradients(gradients: Gradients, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """(a name for each prompt, "" for none; (prompts, sketch) vectors that had no part in choosing the names).

    Clusters come from the directions of one half of each prompt's rollouts, the map from the other half: on the same
    half, chance likeness would show as transfer within a cluster. Prompts with one unit, or with identical rollouts
    and so the same halves, are in none. No prompt is where the best of 2 to MOST clusters (k-means on principal
    components, silhouette) are hardly apart, or no further than those found in any of DRAWS Gaussian draws of the same
    covariance, which have no clusters.
    """
    from sklearn.decomposition import PCA

    seen, unseen = halves(gradients)
    both = ((np.asarray(gradients.counts) > 0).sum(1) > 1) & (np.asarray(gradients.distinct) > 1)
    rows = np.flatnonzero(both)
    names = [""] * len(gradients.ids)
    if len(rows) < 2 * LEAST:
        return names, unseen
    unit = seen[rows] / np.maximum(np.linalg.norm(seen[rows], axis=1, keepdims=True), 1e-30)
    points = PCA(min(COMPONENTS, len(rows) - 1, unit.shape[1]), random_state=seed).fit_transform(unit)
    score, labels = _parted(points, seed)
    rng, few = np.random.default_rng(seed), points[:MOST_DRAWN]
    if score >= SEPARATED and all(
        _parted(points.std(0) * rng.standard_normal(few.shape), seed)[0] < score for _ in range(DRAWS)
    ):
        for row, label in zip(rows, labels, strict=True):
            names[row] = f"gradients {label + 1}"
    return names, unseen


def _parted(points: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """The best silhouette of 2 to MOST clusters of these points, (prompts, components), and their labels."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    tried = []
    for k in range(2, min(MOST, len(points) // LEAST) + 1):
        # Its default is a text, which is taken for its type.
        labels = KMeans(k, n_init=4, random_state=seed).fit_predict(points)  # pyright: ignore[reportArgumentType]
        sample = min(2000, len(points))
        tried.append((float(silhouette_score(points, labels, sample_size=sample, random_state=seed)), labels))
    return max(tried, key=lambda found: found[0])
