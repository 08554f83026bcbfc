"""A rollout as few bytes, and back: what the replay buffer keeps and what a checkpoint holds.

Token ids take 2 bytes where all are below 65,536, else 4; log-probs 4, as exact as the host has them; masks are ranges.
So 5,120 tokens take 41 kB with log-probs, 21 kB without. Prompt, label and image are the prompt's own and not kept;
neither are pixel tensors, which all rollouts of a prompt share (`shared_inputs`). An agent that shows images of its own
makes each rollout's pixels differ: such a rollout is not replayed.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from openrlhf.trainer.ppo_utils.experience import Experience

from openrlhf_unlearn.collect.collector import AcceptedGroup
from openrlhf_unlearn.collect.prompts import Prompt

NUMBERS = ("rewards", "scores", "response_length", "truncated", "total_length")  # one number a rollout
OBJECTS = 900  # bytes of the Python objects around the arrays of one packed rollout, measured


@dataclass(frozen=True, slots=True, eq=False)
class PackedRollout:
    """One rollout of the host, T tokens of prompt and response.

    tokens: (T,) unsigned; log_probs: (T - 1,) float32, or None; spans: (2 x responses,) int32, begin and end of each
    run of ones in the host's action mask; numbers: (n,) float64, whose names, types and shapes are `names`.
    """

    tokens: np.ndarray
    log_probs: np.ndarray | None
    spans: np.ndarray
    names: tuple[tuple[str, str, tuple[int, ...]], ...]
    numbers: np.ndarray

    @property
    def nbytes(self) -> int:
        arrays = (self.tokens, self.spans, self.numbers) + (() if self.log_probs is None else (self.log_probs,))
        return OBJECTS + sum(array.nbytes for array in arrays)


def narrow(tokens: np.ndarray) -> np.ndarray:
    """(T,) token ids in the fewest bytes of 2 or 4."""
    return tokens.astype(np.uint16 if tokens.max(initial=0) < 2**16 else np.uint32)


@cache
def _same(names: tuple) -> tuple:
    """One object for all rollouts with these names."""
    return names


def pack(rollout: Experience) -> PackedRollout:
    """`rollout`: one sample, as the host's `_process_response_into_experience` returns it. Pixels are left out."""
    mask = rollout.action_mask[0].numpy().astype(np.int8)
    found = {name: getattr(rollout, name) for name in NUMBERS if getattr(rollout, name) is not None}
    found.update((f"info.{name}", value) for name, value in rollout.info.items())
    names = tuple((name, str(value.dtype).removeprefix("torch."), tuple(value.shape)) for name, value in found.items())
    flat = [value.to(torch.float64).flatten().numpy() for value in found.values()]
    log_probs = rollout.rollout_log_probs
    return PackedRollout(
        tokens=narrow(rollout.sequences[0].numpy()),
        log_probs=None if log_probs is None else log_probs[0].to(torch.float32).numpy().copy(),
        spans=np.flatnonzero(np.diff(mask, prepend=0, append=0)).astype(np.int32),
        names=_same(names),
        numbers=np.concatenate([np.empty(0), *flat]),
    )


def unpack(packed: PackedRollout, prompt: Prompt, inputs: dict | None = None) -> Experience:
    """The host's rollout again; `inputs` are the processed images of the prompt."""
    tokens = torch.from_numpy(packed.tokens.astype(np.int64))
    mask = torch.zeros(len(tokens) - 1, dtype=torch.long)
    for begin, end in packed.spans.reshape(-1, 2):
        mask[begin:end] = 1
    fields: dict[str, Any] = {  # its own annotations name types that none of its tensors has
        "sequences": tokens[None],
        "attention_mask": torch.ones_like(tokens)[None],
        "action_mask": mask[None],
        "rollout_log_probs": None if packed.log_probs is None else torch.from_numpy(packed.log_probs.copy())[None],
        "prompts": [prompt.text],
        "labels": [prompt.label],
        "images": [prompt.images],
        "mm_train_inputs": [inputs],
    }
    rollout = Experience(**fields)
    numbers = torch.from_numpy(packed.numbers)
    for name, dtype, shape in packed.names:
        size = int(np.prod(shape))
        value, numbers = numbers[:size].to(getattr(torch, dtype)).reshape(shape), numbers[size:]
        if name.startswith("info."):
            rollout.info[name.removeprefix("info.")] = value
        else:
            setattr(rollout, name, value)
    return rollout


class Answer:
    """One response of an engine. The host's rollout is made of it when it trains or is kept, and not of the others.

    With replay, 8 of 32 that were sampled train; of the rest nothing but the judgement is needed.
    """

    def __init__(self, response: dict, make: Callable[[dict], Experience]):
        self.response, self.make = response, make

    @cached_property
    def rollout(self) -> Experience:
        return self.make(self.response)


def made(payload: Any) -> Any:
    """The host's own rollout, or what it was packed into."""
    return payload.rollout if isinstance(payload, Answer) else payload


def packer(agent: bool) -> Callable[[Experience], PackedRollout | None]:
    """`pack` for a filter's buffer: None for a rollout whose pixels are not the prompt's own."""

    def pack_if_possible(payload):
        rollout = made(payload)
        if isinstance(rollout, PackedRollout):
            return rollout
        return None if agent and _inputs(rollout) is not None else pack(rollout)

    return pack_if_possible


def _inputs(payload) -> dict | None:
    """The pixel tensors of a rollout that still has them."""
    return next(iter(getattr(payload, "mm_train_inputs", None) or [None]), None)


@dataclass
class HeldGroup(AcceptedGroup):
    """`inputs`: each rollout's pixel tensors, or one entry for all."""

    inputs: list[dict | None] = field(default_factory=list)

    def __post_init__(self):
        self.rollouts = tuple(replace(rollout, payload=made(rollout.payload)) for rollout in self.rollouts)
        if not self.inputs:
            self.inputs = [_inputs(rollout.payload) for rollout in self.rollouts]
            shared = next((inputs for inputs in self.inputs if inputs is not None), None)
            if shared is None or all(inputs is None or _equal(inputs, shared) for inputs in self.inputs):
                self.inputs = [shared]  # a replayed rollout's images are those of the fresh ones beside it

    def experiences(self, prompt: Prompt) -> list[Experience]:
        """The host's rollouts, each an object of its own that the host may change."""
        inputs = self.inputs if len(self.inputs) > 1 else self.inputs * len(self.rollouts)
        payloads = [rollout.payload for rollout in self.rollouts]
        return [
            unpack(payload, prompt, own) if isinstance(payload, PackedRollout) else copy.copy(payload)
            for payload, own in zip(payloads, inputs, strict=True)
        ]


def _equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) if torch.is_tensor(value) else value == other[name]
        for name, value in one.items()
    )
