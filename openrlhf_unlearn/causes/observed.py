"""What is known of prompts, as plain arrays: what evidence is made of, wherever it was read or simulated."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Samples:
    """A model's samples of each prompt, in the order of the prompts.

    n, positive: (prompts,) counts. answers: of each prompt the answers that were not positive, by normalised text; None
    where no text was kept. disputed: (prompts,) samples not positive that a lenient grader takes; None where it was not
    asked. failed: (prompts,) samples without a verdict (no answer, time-out, error). unbiased: (prompts,) pass rates
    where sampling was adaptive, so that positives over samples are biased; None where it was not. third: (prompts,)
    rollouts of a third of training whose `answers` and `disputed` stand in for these samples'; None: their own.
    """

    n: np.ndarray
    positive: np.ndarray
    failed: np.ndarray
    answers: list[Counter] | None = None
    disputed: np.ndarray | None = None
    unbiased: np.ndarray | None = None
    third: np.ndarray | None = None

    @property
    def read(self) -> np.ndarray:
        """How many samples `answers` and `disputed` are of, (prompts,)."""
        return self.n if self.third is None else self.third

    @property
    def rate(self) -> np.ndarray:
        """Pass rate, (prompts,), nan without samples."""
        return share(self.positive, self.n) if self.unbiased is None else self.unbiased

    def times(self, row: int, answer: str | None) -> int:
        """How many samples of the prompt give this answer; 0 where no text was kept."""
        return self.answers[row][answer] if self.answers is not None and answer is not None else 0


@dataclass(frozen=True)
class Visits:
    """Training, a row a visit, in the order of steps: the prompt's row, the step, rollouts as sampled, positives."""

    row: np.ndarray
    step: np.ndarray
    n: np.ndarray
    positive: np.ndarray

    @classmethod
    def none(cls) -> "Visits":
        return cls(*(np.zeros(0, dtype=np.int64) for _ in range(4)))


@dataclass(frozen=True)
class Observed:
    """Everything that a diagnosis may use; all but `final` may be missing.

    early: samples of the initial model, or of the first part of training. seconds: other models. kin: (prompts,) mean
    pass rate at the end of the nearest prompts by wording, nan where there are too few near ones;
    kin_second: (second models, prompts), the same of each. guess: (prompts,) rate at which its label is among the
    answers to other prompts, nan where no text was kept. opposed: (prompts,) cosine of its correct with its incorrect
    rollouts' gradient.
    """

    final: Samples
    early: Samples | None = None
    seconds: list[Samples] = field(default_factory=list)
    visits: Visits = field(default_factory=Visits.none)
    kin: np.ndarray | None = None
    kin_second: np.ndarray | None = None
    guess: np.ndarray | None = None
    opposed: np.ndarray | None = None

    @property
    def size(self) -> int:
        return len(self.final.n)

    def per_prompt(self, values: np.ndarray) -> np.ndarray:
        """Sum of a column of visits over each prompt, (prompts,)."""
        return np.bincount(self.visits.row, weights=values, minlength=self.size)


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, nan where whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
