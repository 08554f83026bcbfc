"""What a framework's module says of its files, and what every row of them becomes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openrlhf_unlearn.exchange.files import Row, plain_name, rows_of


@dataclass(frozen=True, slots=True)
class ImportedRollout:
    """One rollout of another framework; `step` None where nothing says it, `reward` None where there is none."""

    prompt: str | None
    response: str | None
    reward: float | None
    label: str | None = None
    step: int | None = None
    id: str | None = None
    processed: bool = False  # what trained, besides what was sampled
    positive: bool | None = None  # where the framework says it apart from the reward


def one_row(path: Path) -> Iterator[Row]:
    return rows_of(path)


@dataclass(frozen=True)
class Format:
    """How a framework lays out its rollouts.

    `columns` says where prompt, response, reward, label, step, id and positive are; a dot goes into a nested object.
    """

    name: str
    checked: str  # against which writer
    columns: dict[str, str]
    training: tuple[str, ...] = ("*.jsonl",)  # globs below a folder; the first that finds any
    evaluation: tuple[str, ...] = ("*.jsonl",)  # the same, with --tag
    step: str | None = None  # a regular expression that finds the step in a file's path
    step_first: str = "row"  # whose step counts where both have one: `row` or `path`
    not_rewards: frozenset[str] = frozenset()  # columns that are no reward, where the format does not name the one
    rows: Callable[[Path], Iterator[Row]] = one_row
    select: Callable[[list[Path], bool], list[Path]] = lambda files, evaluation: files  # of those found in a folder
    of: Callable[[Path], str] = plain_name  # what a file is of, its step apart: two alike are of two runs
    processed: Callable[[Path], bool] = lambda path: False
    token_rewards: bool = False  # a list of rewards is one rollout's, token by token
    notes: tuple[str, ...] = ()  # what its files do not say, told at every import
    binary: tuple[frozenset[float], ...] = ()  # pairs of rewards, besides 0 and 1, wrong and right
    once: bool = False  # a file that repeats the last one's rows says nothing new
    evaluations_only: bool = False

    def step_of(self, path: Path) -> int | None:
        match = re.search(self.step, str(path.with_name(plain_name(path)).as_posix())) if self.step else None
        return int(match[1]) if match else None
