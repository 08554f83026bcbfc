"""What reports and examples take from `stats`, and the bootstrap for statistics that have no interval there."""

import numpy as np

from openrlhf_unlearn.stats.auc import auc as auc
from openrlhf_unlearn.stats.means import Z as Z
from openrlhf_unlearn.stats.means import mean_interval as mean_interval


def bootstrap(statistic, *samples: np.ndarray, times: int = 400, seed: int = 0) -> list[float]:
    """95 % interval of statistic(*samples), each sample drawn again with replacement."""
    rng = np.random.default_rng(seed)
    values = [statistic(*(s[rng.integers(len(s), size=len(s))] for s in samples)) for _ in range(times)]
    return [float(v) for v in np.quantile(values, (0.025, 0.975))]
