"""Which rows of rollouts or samples are positive: as the run that wrote them says."""

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.store.columns import integers, numbers, texts
from openrlhf_unlearn.store.table import Table
from openrlhf_unlearn.store.verdicts import POSITIVE_THRESHOLD


class Graded(Table):
    """Of both, a row a sample; `positive` is a column of the subclasses."""

    prompt_id = texts(core=True)
    sample = integers(core=True)
    response = texts(core=True)
    reward = numbers(core=True)
    verdict = texts(core=True)

    def hits(self, threshold: float | None = None) -> np.ndarray:
        """(rows,) of bool: positive above `threshold`; None: as the run says, else above POSITIVE_THRESHOLD."""
        positive = self.columns["positive"]
        by_reward = self[Graded.reward].fill_null(float("nan")).to_numpy() > (
            POSITIVE_THRESHOLD if threshold is None else threshold
        )
        if threshold is not None or not self.has(positive):
            return by_reward
        said = self[positive].cast(pa.bool_())
        return np.where(said.is_null().to_numpy(), by_reward, said.fill_null(False).to_numpy())
