"""Which rows of rollouts or samples are positive: as the run that holds them says."""

from collections.abc import Iterator
from functools import cached_property
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


class _Said:
    """What the run that a file lies in says is positive, each read once and only where it is asked for: `told` to
    classify, of evaluations alone, and its `own` threshold."""

    def __init__(self, path: Path):
        self.run, self.path = RunDir.holding(path), path

    @cached_property
    def told(self) -> float | None:
        return Summary.read(self.run).threshold if self.path.parent == self.run.evaluations else None

    @cached_property
    def own(self) -> float | None:
        return self.run.config(required=False).threshold


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
        return super().open(path, *columns)._as_the_run_says(_Said(path))

    @classmethod
    def scan(cls, path: Path, *columns: Column[Any], wanted: pa.Array | None = None) -> "Iterator[Self]":
        said = _Said(path)
        return (part._as_the_run_says(said) for part in super().scan(path, *columns, wanted=wanted))

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

    def _as_the_run_says(self, said: "_Said") -> "Self":
        """With `positive` filled in by what the run said; where nobody says, or no reward is, it is null."""
        if not {"reward", "positive"} <= set(self._asked):
            return self
        undecided = self.silent() if said.told is None else np.ones(len(self), dtype=bool)
        above = said.told if said.told is not None or not undecided.any() else said.own
        if above is None:
            return self
        positive = np.where(undecided, self._above(above), self._said().fill_null(False).to_numpy())
        unknown = undecided & ~np.isfinite(self[Graded.reward].fill_null(float("nan")).to_numpy())
        filled, names = pa.array(positive, mask=unknown), self.arrow.column_names
        if "positive" in names:
            return type(self)(self.arrow.set_column(names.index("positive"), "positive", filled), self._asked)
        return type(self)(self.arrow.append_column("positive", filled), self._asked)
