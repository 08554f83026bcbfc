"""Which rows of rollouts or samples are positive: as the run that holds them says."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from openrlhf_unlearn.store.columns import Column, integers, numbers, texts
from openrlhf_unlearn.store.names import RunDir
from openrlhf_unlearn.store.summary import Summary
from openrlhf_unlearn.store.table import Table
from openrlhf_unlearn.store.verdicts import POSITIVE_THRESHOLD

if TYPE_CHECKING:
    from typing_extensions import Self


class Graded(Table):
    """Of both, a row a sample; `positive` is a column of the subclasses, and comes as the run says.

    An evaluation's sample is positive above the threshold that `classify` was last told. Else, and for training's
    rollouts always, it is as the table says, and where that is silent above the threshold of run.json.
    """

    prompt_id = texts(core=True)
    sample = integers(core=True)
    response = texts(core=True)
    reward = numbers(core=True)
    verdict = texts(core=True)

    @classmethod
    def open(cls, path: Path, *columns: Column[Any]) -> "Self":
        return super().open(path, *columns)._as_the_run_says(path)

    @classmethod
    def scan(cls, path: Path, *columns: Column[Any], wanted: pa.Array | None = None) -> "Iterator[Self]":
        parts = super().scan(path, *columns, wanted=wanted)
        return (part._as_the_run_says(path) for part in parts)

    def hits(self, threshold: float | None = None) -> np.ndarray:
        """(rows,) of bool: positive above `threshold`; None: as the run says, else above POSITIVE_THRESHOLD."""
        if threshold is not None:
            return self._above(threshold)
        return np.where(self.silent(), self._above(POSITIVE_THRESHOLD), self._said().fill_null(False).to_numpy())

    def silent(self) -> np.ndarray:
        """(rows,) of bool: neither the table nor its run says whether it is positive."""
        return self._said().is_null().to_numpy()

    def _said(self) -> pa.ChunkedArray:
        return self[self.columns["positive"]].cast(pa.bool_())

    def _above(self, threshold: float) -> np.ndarray:
        return self[Graded.reward].fill_null(float("nan")).to_numpy() > threshold

    def _as_the_run_says(self, path: Path) -> "Self":
        """With `positive` filled in for the run that `path` lies in; where nobody says, or no reward is, it is null."""
        if not {"reward", "positive"} <= set(self._asked):
            return self
        run = RunDir.holding(path)
        told = Summary.read(run).threshold if path.parent == run.evaluations else None
        undecided = self.silent() if told is None else np.ones(len(self), dtype=bool)
        above = told if told is not None or not undecided.any() else run.config(required=False).threshold
        if above is None:
            return self
        positive = np.where(undecided, self._above(above), self._said().fill_null(False).to_numpy())
        unknown = undecided & ~np.isfinite(self[Graded.reward].fill_null(float("nan")).to_numpy())
        filled, names = pa.array(positive, mask=unknown), self.arrow.column_names
        if "positive" in names:
            return type(self)(self.arrow.set_column(names.index("positive"), "positive", filled), self._asked)
        return type(self)(self.arrow.append_column("positive", filled), self._asked)
