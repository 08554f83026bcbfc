"""From a probe's file to the vectors of the map: the gradient by which a prompt trains, and that of its likelihood."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.measures.cosines import blocks
from openrlhf_unlearn.probe.measures.interference import grpo_weight

EXACT_BYTES = 1 << 30  # of mean gradients that --for holds; above it their sketches are taken
OBJECTIVES = ("likelihood", "grpo")


@dataclass(frozen=True)
class Vectors:
    """ids: prompts with correct rollouts. train, feel: (prompts, dim), see `transfer_map`; arrays, or what reads slices
    of rows from a file. exact: not sketches."""

    ids: list[str]
    train: Any
    feel: Any
    exact: bool


def vectors(
    by_class: dict[str, Gradients], objective: str, pass_rate: dict[str, float], k: int, exact: bool = True
) -> Vectors:
    """objective: "likelihood", training on correct rollouts as in fine-tuning; "grpo", the mean of GRPO's gradient over
    k rollouts at the prompt's pass rate (interference.py). A prompt without incorrect rollouts has none under GRPO.
    exact: the means, which stay in their file; else their sketches."""
    correct = by_class["correct"]
    feel = correct.mean if exact else means(correct, exact)
    ids = list(correct.ids)
    if objective == "likelihood":
        return Vectors(ids, feel, feel, exact)
    incorrect = by_class.get("incorrect")
    place = {name: i for i, name in enumerate(incorrect.ids)} if incorrect else {}
    other = (incorrect.mean if exact else means(incorrect, exact)) if incorrect else feel[:0]
    weight = grpo_weight(np.array([pass_rate[name] for name in ids]), k).astype(np.float32)
    return Vectors(ids, Pulls(feel, other, [place.get(name) for name in ids], weight), feel, exact)


@dataclass(frozen=True)
class Pulls:
    """Rows of GRPO's gradient: weight times the correct rollouts' mean less the incorrect ones'. place: by row, that of
    `incorrect`, None where there is none and the gradient is 0."""

    correct: Any
    incorrect: Any
    place: list[int | None]
    weight: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.correct.shape

    def __getitem__(self, rows: slice) -> np.ndarray:
        found = np.array(self.correct[rows])
        for row, place, weight in zip(found, self.place[rows], self.weight[rows], strict=True):
            row[:] = 0 if place is None else weight * (row - self.incorrect[place : place + 1][0])
        return found


def sketch_size(found: Vectors, facts: dict) -> int:
    """Numbers that inner products are estimated from, for `transfer_map`; 0 where exact. facts: the probe's."""
    projected = facts["settings"].get("project") == facts["dim"]
    return found.feel.shape[1] if projected or not found.exact else 0


def small(gradients: Gradients) -> bool:
    """Whether the means may be held in memory."""
    return int(np.prod(gradients.mean.shape)) * 4 <= EXACT_BYTES


def means(gradients: Gradients, exact: bool) -> np.ndarray:
    """(prompts, dim) mean gradients, or (prompts, sketch) their sketches, read a block of prompts at a time."""
    if exact:
        return np.concatenate([gradients.mean[block] for block in blocks(gradients)])
    return _units(gradients, slice(None))


def to_check(gradients: Gradients) -> Vectors:
    """What --verify predicts from: all rollouts train; those of the odd units alone feel (see `verify.held_out`)."""
    whole = gradients.sketches.shape[2] == gradients.mean.shape[1]
    return Vectors(list(gradients.ids), _units(gradients, slice(None)), halves(gradients)[1], whole)


def halves(gradients: Gradients) -> tuple[np.ndarray, np.ndarray]:
    """Two (prompts, sketch) means over different rollouts: of the even units and of the odd ones; 0 without any."""
    return _units(gradients, slice(0, None, 2)), _units(gradients, slice(1, None, 2))


def _units(gradients: Gradients, which: slice) -> np.ndarray:
    """Mean over the rollouts of these units of each prompt, from sketches."""
    n = np.maximum(np.asarray(gradients.counts)[:, which].sum(1), 1).astype(np.float32)
    parts = [gradients.sketches[block][:, which].sum(1) for block in blocks(gradients, "sketches")]
    return np.concatenate(parts) / n[:, None]
