"""Tables of gradients: how prompts pull, alone, against their own wrong rollouts, with their variants, by clusters."""

import json
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError, safe_open

from openrlhf_unlearn.store.columns import flags, integers, lists, numbers, texts
from openrlhf_unlearn.store.names import RunDir
from openrlhf_unlearn.store.table import TagTable


class _EveryProbe(TypedDict):
    tag: str  # of the evaluation whose rollouts it has
    created: str
    versions: dict[str, str]
    subspace: str  # of the gradients, in words
    dim: int
    tokens: int
    seconds: float
    wall_seconds: float
    left_out: list[str]  # prompts whose gradients are not finite
    bytes_per_prompt: int
    analysis_seconds: float
    prompts: int
    enough_rollouts: int
    groups: dict[str, dict[str, Any]]
    group_matrix: list[dict[str, Any]]
    group_to_all: dict[str, dict[str, Any]]  # mean cosine of each group's prompts to all others, plain and corrected
    order: str  # whether easy > learnable > unlearnable, in words
    outliers: dict[str, Any]
    separation: dict[str, Any]
    spectrum: dict[str, dict[str, Any]]
    captured: dict[str, dict[str, Any]]
    interference: dict[str, dict[str, Any]]
    settings: dict[str, Any]


class ProbeNumbers(_EveryProbe, total=False):
    """probe.json, as this version writes it."""

    against_full: dict[str, Any]  # with --compare-full: how it correlates with the probe of all parameters


class Similarity(TagTable):
    prompt_id = texts(core=True)
    group = texts(core=True)  # "" where nothing is classified
    n_correct = integers(core=True)  # rollouts behind the gradient
    mean_cosine = numbers(core=True)  # to all others; per group: mean_cosine_GROUP
    mean_cosine_corrected = numbers()  # without the noise of few rollouts; null: too few to say
    low = numbers()  # its 95 % interval
    high = numbers()
    word = texts()  # ok, identical rollouts, or too few rollouts
    outlier_p = numbers()  # of the test for a gradient outlier; null: not hard, or too few rollouts
    outlier = flags()  # called one, at a false discovery rate of 5 %; null where not tested
    nearest = lists(pa.string())  # prompts by gradient, and their cosines
    nearest_cosine = lists(pa.float32())
    farthest = lists(pa.string())
    farthest_cosine = lists(pa.float32())

    def with_group(self, group: str, plain: list[float | None], corrected: list[float | None]) -> "Similarity":
        """With each prompt's mean cosine to the prompts of a group."""
        values = {f"mean_cosine_{group}": plain, f"mean_cosine_corrected_{group}": corrected}
        return self.adding(**{name: pa.array(given, pa.float64()) for name, given in values.items()})

    @classmethod
    def path(cls, run: RunDir, tag: str) -> Path:
        return run.probe_table("similarity", tag)


class Interference(TagTable):
    prompt_id = texts()
    group = texts()
    n_correct = integers()
    n_incorrect = integers()
    within = numbers()  # cosine of the correct rollouts' gradient with the incorrect ones'
    within_corrected = numbers()
    low = numbers()
    high = numbers()
    correct_batch = numbers()  # cosine with the GRPO gradient of all other prompts
    incorrect_batch = numbers()
    word = texts()

    @classmethod
    def path(cls, run: RunDir, tag: str) -> Path:
        return run.probe_table("interference", tag)


class Variants(TagTable):
    prompt_id = texts()  # the original
    variant_id = texts()
    group = texts()  # of the original
    cosine = numbers()  # of their correct rollouts' gradients
    cosine_corrected = numbers()  # null: too few rollouts
    low = numbers()
    high = numbers()
    mean_cosine = numbers()  # of the original to all other prompts, for comparison

    @classmethod
    def path(cls, run: RunDir, tag: str) -> Path:
        return run.probe_table("variants", tag)


class TransferMap(TagTable):
    trained = texts()  # cluster of prompts
    changed = texts()
    prompts_trained = integers()
    prompts_changed = integers()
    value = numbers()  # predicted change of log-likelihood, nats a token, per unit of training
    low = numbers()
    high = numbers()
    p = numbers()  # against 0; null where the spread is not known
    told = flags()  # from 0, at a false discovery rate of 5 % over the table
    pass_rate = numbers()  # predicted change of the pass rate per unit of training
    pass_rate_low = numbers()
    pass_rate_high = numbers()
    predicted = numbers()  # of the halves that were verified: train on one, change of the other
    measured = numbers()  # change of log-likelihood, nats a token, after the short training
    measured_low = numbers()
    measured_high = numbers()
    reward_predicted = numbers()  # of runs that each trained one cluster (--trained): change of the pass rate
    reward_measured = numbers()
    reward_low = numbers()
    reward_high = numbers()

    @classmethod
    def path(cls, run: RunDir, tag: str) -> Path:
        return run.transfer_table(tag)


def read_states(run: RunDir, tag: str) -> dict[str, np.ndarray]:
    """The last hidden state at the end of each probed prompt that has a correct rollout, (hidden,) by prompt id; empty
    where the probe's file is gone, for its size, or of a version that kept none."""
    try:
        opened: Any = safe_open(run.gradients(tag), "np")
        with opened as file:
            ids: list[str] = json.loads(file.metadata()["correct.ids"])
            states: np.ndarray = file.get_tensor("correct.states")
            return dict(zip(ids, states, strict=True))
    except (OSError, SafetensorError, KeyError):
        return {}
