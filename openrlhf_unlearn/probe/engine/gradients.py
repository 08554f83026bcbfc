"""Gradients of many prompts, streamed: rollouts dealt into units, packed, differentiated, summed, summarised.

from openrlhf_unlearn.probe import Rollouts, prompt_gradients, similarity

rollouts = [Rollouts("p1", prompt_tokens, {"correct": [tokens, …], "incorrect": [tokens, …]}), …]
gradients = prompt_gradients(model, rollouts)["correct"]      # Gradients, mean: (prompts, dim)
similarity(gradients).corrected                               # (prompts,)
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.engine.backward import Backward
from openrlhf_unlearn.probe.engine.packing import Piece, Rollouts, cut, deal, packs
from openrlhf_unlearn.probe.engine.subspace import Subspace, lora
from openrlhf_unlearn.probe.gradient_summary import Gradients, Sketch, stack, summarise
from openrlhf_unlearn.probe.words import note


def prompt_gradients(
    model,
    rollouts: Sequence[Rollouts],
    subspace: Subspace | None = None,
    *,
    units: int = 10,
    tokens: int | None = None,
    sketch: int = 4096,
    project: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
) -> dict[str, Gradients]:
    """Gradients of a Hugging Face causal LM, by class; mean: (prompts with such rollouts, subspace.dim), float32.

    subspace: `lora(model)` unless given; see probe/subspace.py. units: at most so many lots of rollouts a prompt and
    class whose own gradients are told apart. tokens: of a pack; `default_tokens` unless given. sketch, project:
    dimensions of what is kept of a unit and of the mean (0: all). The model is left frozen, with packed attention.
    """
    backward = Backward(model, subspace or lora(model), temperature)
    stream = Stream(backward, units, tokens or default_tokens(str(backward.device)), sketch, project, seed)
    try:
        return collect(stream(rollouts))
    finally:
        stream.backward.close()


def default_tokens(device: str) -> int:
    """Tokens of a pack: enough to keep a GPU busy; on a CPU few enough for their activations to stay in its cache."""
    return 16384 if device.startswith("cuda") else 1024


def collect(rows: Iterable[tuple[str, str, dict[str, np.ndarray]]]) -> dict[str, Gradients]:
    """Rows of (prompt id, class, arrays) as Gradients, by class."""
    found: dict[str, tuple[list, list]] = {}
    for name, kind, row in rows:
        ids, arrays = found.setdefault(kind, ([], []))
        ids.append(name)
        arrays.append(row)
    return {kind: stack(ids, arrays) for kind, (ids, arrays) in found.items()}


class Stream:
    """Turns rollouts into rows (prompt id, class, arrays of one prompt), holding one pack and its open prompts only.

    `dropped` names prompts whose gradient was not finite; `tokens` is halved when memory runs out.
    """

    def __init__(
        self, backward: Backward, units: int, tokens: int, sketch: int = 4096, project: int = 0, seed: int = 0
    ):
        self.backward, self.units, self.tokens = backward, units, tokens
        device = backward.device
        self.project = Sketch(backward.subspace.dim, project, seed + 1, device)
        self.sketch = Sketch(self.project.size, sketch, seed, device)
        self.dropped: list[str] = []
        self.seen = 0  # tokens that went through the model

    @property
    def dim(self) -> int:
        return self.project.size

    def __call__(self, rollouts: Iterable[Rollouts]) -> Iterator[tuple[str, str, dict[str, np.ndarray]]]:
        open_: dict[int, _Open] = {}  # by a prompt and class's number
        for pack in packs(self._pieces(rollouts, open_), self.tokens):
            for pieces, gradients, states in self._run(pack):
                self.seen += sum(piece.n_tokens for piece in pieces)
                for piece, gradient, state in zip(pieces, self.project(gradients), states, strict=True):
                    open_[piece.unit // self.units].add(piece, gradient, state, self.units)
            yield from self._finish(open_)

    def _pieces(self, rollouts: Iterable[Rollouts], open_: dict[int, "_Open"]) -> Iterator[Piece]:
        number = 0
        for prompt in rollouts:
            for kind, responses in prompt.responses.items():
                if not responses:
                    continue
                _check(prompt, responses)
                weights = (prompt.weights or {}).get(kind) or [1.0] * len(responses)
                dealt = deal(len(responses), self.units)
                pieces = [
                    piece
                    for u, members in enumerate(dealt)
                    for piece in cut(
                        Piece(
                            number * self.units + u,
                            prompt.prompt,
                            [responses[i] for i in members],
                            [weights[i] for i in members],
                        ),
                        self.tokens,
                    )
                ]
                open_[number] = _Open(prompt.id, kind, [len(members) for members in dealt], responses)
                yield from pieces
                number += 1

    def _run(self, pack: list[Piece]) -> list[tuple[list[Piece], torch.Tensor, torch.Tensor]]:
        """Gradients and states of a pack's pieces; in smaller packs if memory is short, alone if one is not finite."""
        try:
            gradients = self.backward(pack)
            if len(pack) > 1 and not gradients.isfinite().all():  # padding can carry it from piece to piece
                return [result for piece in pack for result in self._run([piece])]
            return [(pack, gradients, self.backward.states)]
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
        longest = max(len(piece.prompt) + max(map(len, piece.responses)) for piece in pack)
        if len(pack) == 1 and len(pack[0].responses) == 1:
            raise UserError(
                f"out of memory with one rollout of {longest} tokens; take a smaller --lora-rank or a larger device"
            )
        self.tokens = max(longest, min(self.tokens, sum(piece.n_tokens for piece in pack)) // 2)
        note(f"out of memory; going on with packs of {self.tokens} tokens (--pack-tokens)")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        smaller = packs([part for piece in pack for part in cut(piece, self.tokens)], self.tokens)
        return [result for part in smaller for result in self._run(part)]

    def _finish(self, open_: dict[int, "_Open"]) -> Iterator[tuple[str, str, dict[str, np.ndarray]]]:
        for number in [number for number, prompt in open_.items() if not prompt.missing]:
            prompt = open_.pop(number)
            sums = torch.stack([prompt.sums[u] for u in sorted(prompt.sums)])
            if sums.isfinite().all():
                row = summarise(sums, prompt.counts, self.units, self.sketch, prompt.distinct)
                yield prompt.id, prompt.kind, row | {"states": prompt.state.float().cpu().numpy()}
            else:
                self.dropped.append(prompt.id)
                note(f"prompt {prompt.id} has a gradient that is not finite; left out")


class _Open:
    """A prompt and class under way: summed gradients by unit, the prompt's state, and how many rollouts are to come."""

    state: torch.Tensor

    def __init__(self, name: str, kind: str, counts: list[int], responses: Sequence[Sequence[int]]):
        self.id, self.kind, self.counts, self.missing = name, kind, counts, len(responses)
        self.distinct = len(set(map(tuple, responses)))
        self.sums: dict[int, torch.Tensor] = {}

    def add(self, piece: Piece, gradient: torch.Tensor, state: torch.Tensor, units: int) -> None:
        unit, self.state = piece.unit % units, state
        self.sums[unit] = gradient + self.sums.get(unit, 0)
        self.missing -= len(piece.responses)


def _check(prompt: Rollouts, responses: Sequence[Sequence[int]]) -> None:
    if not len(prompt.prompt) or not all(len(response) for response in responses):
        raise UserError(f"prompt {prompt.id}: the prompt or a response has no tokens; leave it out")


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "can't allocate memory" in str(error) or "out of memory" in str(error)
