"""Adam's preconditioner, from the checkpoint of a training, for the gradients of a probe.

Adam divides a weight's gradient by √v, v the running mean of its squares, entry by entry. The probe has of a weight's
gradient Σ δ ⊗ x only Σ δ ⊗ A x (engine/subspace.py), in which inputs are mixed and outputs are not: so v is taken as
its mean over a weight's inputs, a number an output. An inner product of one gradient with another so divided is that of
both multiplied by v^-1/4.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.gradient_summary import Gradients

SMALLEST = 0.01  # of the median output's √v: an output that hardly ever had a gradient must not outweigh all others


class Scaled:
    """Rows of a file, times a number a column."""

    def __init__(self, rows: Any, scale: np.ndarray):
        self.rows, self.scale, self.shape = rows, scale, rows.shape

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.rows[rows] * self.scale


def scaled(by_class: dict[str, Gradients], scale: np.ndarray) -> dict[str, Gradients]:
    """The same with other means. Sketches stay as they are: nothing of them is known an output."""
    return {kind: replace(found, mean=Scaled(found.mean, scale)) for kind, found in by_class.items()}


def preconditioner(checkpoint: str, settings: dict) -> np.ndarray:
    """(dim,) v^-1/4 of each number of the probe's gradients, of mean square 1. settings: the probe's.

    Raises UserError where there is no state of Adam, or it is of another model, or the probe is of no fresh adapter.
    """
    from openrlhf_unlearn.evaluation.checkpoints import second_moments

    if settings.get("full") or settings.get("adapter") or settings.get("project"):
        raise UserError(
            "--preconditioner goes with a probe of a fresh adapter: without --full, --adapter and --project"
        )
    found = second_moments(Path(checkpoint))
    roots, sizes = [], []
    for tap in _taps(settings):
        moment = found.get(f"{tap.module}.weight")
        if moment is None or moment.shape[0] != tap.shape[0]:
            raise UserError(
                f"--preconditioner {checkpoint} has no such {tap.module} as the probed model; another model?"
            )
        roots.append(np.sqrt(moment.mean(1)))
        sizes.append(tap.shape[1])
    typical = np.median(np.concatenate(roots))
    if typical == 0:
        raise UserError(f"--preconditioner {checkpoint}: Adam has seen no gradient yet")
    each = [np.repeat(np.maximum(root, SMALLEST * typical) ** -0.5, n) for root, n in zip(roots, sizes, strict=True)]
    scale = np.concatenate(each)
    return (scale / np.sqrt(np.mean(scale**2))).astype(np.float32)


def _taps(settings: dict) -> Any:
    """Where each layer's numbers stand in the probe's gradients: from the model's shapes alone."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from openrlhf_unlearn.probe.engine.subspace import lora
    from openrlhf_unlearn.store.trust import remote_code, why_not_loaded

    try:
        config = AutoConfig.from_pretrained(settings["model"], trust_remote_code=remote_code())
    except (OSError, ValueError) as error:
        raise UserError(f"the probed model {settings['model']} cannot be read: {why_not_loaded(error)}") from None
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=remote_code())
        return lora(model, settings["rank"], settings["alpha"], settings["targets"], settings["lora_seed"]).taps
