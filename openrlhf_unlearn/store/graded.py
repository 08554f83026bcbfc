"""Which rows of rollouts or samples are positive: as the run that wrote them says."""

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.store.table import Table
from openrlhf_unlearn.store.verdicts import POSITIVE_THRESHOLD


class Graded(Table):
    """A table with the columns `reward` and `positive`."""

    def hits(self, threshold: float | None = None) -> np.ndarray:
        """(rows,) of bool: positive above `threshold`; None: as the run says, else above POSITIVE_THRESHOLD."""
        reward, positive = (self.columns[name] for name in ("reward", "positive"))
        by_reward = self[reward].fill_null(float("nan")).to_numpy() > (
            POSITIVE_THRESHOLD if threshold is None else threshold
        )
        if threshold is not None or not self.has(positive):
            return by_reward
        said = self[positive].cast(pa.bool_())
        return np.where(said.is_null().to_numpy(), by_reward, said.fill_null(False).to_numpy())
