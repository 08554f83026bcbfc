"""From a probe's file to the vectors of the map: the gradient by which a prompt trains, and that of its likelihood."""

from dataclasses import dataclass

import numpy as np

from openrlhf_unlearn.probe.gradient_summary import Gradients
from openrlhf_unlearn.probe.measures.cosines import blocks
from openrlhf_unlearn.probe.measures.interference import grpo_weight

EXACT_BYTES = 1 << 30  # of mean gradients that are taken as they are; above it their sketches are
OBJECTIVES = ("likelihood", "grpo")


@dataclass(frozen=True)
class Vectors:
    """ids: prompts with correct rollouts. train, feel: (prompts, dim), see `transfer_map`. exact: not sketches."""

    ids: list[str]
    train: np.ndarray
    feel: np.ndarray
    exact: bool


def vectors(by_class: dict[str, Gradients], objective: str, pass_rate: dict[str, float], k: int) -> Vectors:
    """objective: "likelihood", training on correct rollouts as in fine-tuning; "grpo", the mean of GRPO's gradient over
    k rollouts at the prompt's pass rate (interference.py). A prompt without incorrect rollouts has none under GRPO."""
    correct = by_class["correct"]
    exact = correct.mean.shape[0] * correct.mean.shape[1] * 4 <= EXACT_BYTES
    feel = means(correct, exact)
    ids = list(correct.ids)
    if objective == "likelihood":
        return Vectors(ids, feel, feel, exact)
    incorrect = by_class.get("incorrect")
    place = {name: i for i, name in enumerate(incorrect.ids)} if incorrect else {}
    other = means(incorrect, exact) if incorrect else np.zeros((0, feel.shape[1]), np.float32)
    weight = grpo_weight(np.array([pass_rate[name] for name in ids]), k).astype(np.float32)
    train = np.zeros_like(feel)
    for i, name in enumerate(ids):
        if name in place:
            train[i] = weight[i] * (feel[i] - other[place[name]])
    return Vectors(ids, train, feel, exact)


def means(gradients: Gradients, exact: bool) -> np.ndarray:
    """(prompts, dim) mean gradients, or (prompts, sketch) their sketches, read a block of prompts at a time."""
    if exact:
        return np.concatenate([gradients.mean[block] for block in blocks(gradients)])
    return _units(gradients, slice(None))


def to_check(gradients: Gradients) -> Vectors:
    """What --verify predicts from: all rollouts train; those of the odd units alone feel (see `verify.held_out`)."""
    return Vectors(list(gradients.ids), _units(gradients, slice(None)), halves(gradients)[1], False)


def halves(gradients: Gradients) -> tuple[np.ndarray, np.ndarray]:
    """Two (prompts, sketch) means over different rollouts: of the even units and of the odd ones; 0 without any."""
    return _units(gradients, slice(0, None, 2)), _units(gradients, slice(1, None, 2))


def _units(gradients: Gradients, which: slice) -> np.ndarray:
    """Mean over the rollouts of these units of each prompt, from sketches."""
    n = np.maximum(np.asarray(gradients.counts)[:, which].sum(1), 1).astype(np.float32)
    parts = [gradients.sketches[block][:, which].sum(1) for block in blocks(gradients, "sketches")]
    return np.concatenate(parts) / n[:, None]
