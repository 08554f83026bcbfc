"""A pack as tensors: which row is whose, what predicts what, and what attends to what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from openrlhf_unlearn.probe.engine.batches import Batches, Span
from openrlhf_unlearn.probe.engine.packing import Piece


@dataclass(frozen=True)
class Segments:
    """Which rows belong to which piece. index: (pieces, longest) row numbers, `rows` (one past the last) as padding."""

    index: torch.Tensor
    rows: int

    @classmethod
    def of(cls, lengths: Sequence[int], device) -> "Segments":
        """Pieces of these lengths, one after the other."""
        size = torch.tensor(lengths)
        start = size.cumsum(0) - size
        offset = torch.arange(int(size.max()))
        index = torch.where(offset < size[:, None], start[:, None] + offset, int(size.sum()))
        return cls(index.to(device), int(size.sum()))

    def outer(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Sum of left_t ⊗ right_t over the rows t of each piece: (rows, a), (rows, b) → (pieces, a, b)."""
        return torch.bmm(self._padded(left).mT, self._padded(right))

    def _padded(self, values: torch.Tensor) -> torch.Tensor:
        if self.index.shape[0] == 1:
            return values[None]
        values = torch.cat([values, values.new_zeros(1, values.shape[1])])
        return values.index_select(0, self.index.flatten()).view(*self.index.shape, -1)


@dataclass(frozen=True)
class Layout:
    """One pack as tensors.

    input_ids, position_ids: (1, tokens). rows: (predictions,) tokens that predict; targets, weights: the same shape.
    predictions: of each piece, how many. segments: which tokens are whose. attend: attention over the pack. longest:
    tokens of the longest prompt and response.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    predictions: list[int]
    segments: Segments
    attend: Callable
    longest: int

    @classmethod
    def of(cls, pieces: Sequence[Piece], device, attention: Callable = Batches) -> "Layout":
        """attention: of (spans, tokens, device), makes `attend`; see attention.py."""
        ids, positions, rows, targets, weights, lengths, predictions = [], [], [], [], [], [], []
        spans: list[Span] = []  # of each sequence: what it attends to before itself, and itself
        for piece in pieces:
            start, prompt = len(ids), len(piece.prompt)
            ids += piece.prompt
            positions += range(prompt)
            alone = len(piece.responses) == 1
            if not alone:
                spans.append((range(0), range(start, start + prompt)))
            for response, weight in zip(piece.responses, piece.weights, strict=True):
                first = len(ids)
                ids += response[:-1]
                positions += range(prompt, prompt + len(response) - 1)
                rows += [start + prompt - 1, *range(first, len(ids))]
                targets += response
                weights += [weight / len(response)] * len(response)
                if alone:
                    spans.append((range(0), range(start, len(ids))))
                elif len(response) > 1:
                    spans.append((range(start, start + prompt), range(first, len(ids))))
            lengths.append(len(ids) - start)
            predictions.append(sum(map(len, piece.responses)))
        return cls(
            torch.tensor([ids], device=device),
            torch.tensor([positions], device=device),
            torch.tensor(rows, device=device),
            torch.tensor(targets, device=device),
            torch.tensor(weights, dtype=torch.float64, device=device),
            predictions,
            Segments.of(lengths, device),
            attention(spans, len(ids), device),
            max(len(before) + len(own) for before, own in spans),
        )
