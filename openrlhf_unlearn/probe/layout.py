"""A pack as tensors: which row is whose, what predicts what, and which sequences attention takes together."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from openrlhf_unlearn.probe.packing import Piece

MAX_PADDING = 1.15  # attention's batches: longest over shortest sequence that may share one


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
class Batch:
    """Sequences of about one length that attention takes together; index rows are padded with row 0.

    queries: (sequences, q); keys: (sequences, k); mask: (sequences, 1, q, k), None where plain causal attention does.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    mask: torch.Tensor | None


@dataclass(frozen=True)
class Layout:
    """One pack as tensors.

    input_ids, position_ids: (1, tokens). rows: (predictions,) tokens that predict; targets, weights: the same shape.
    lengths, predictions: tokens and predictions of each piece. batches: attention's; order: (tokens,) where each
    token's row is among their concatenated rows.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    lengths: list[int]
    predictions: list[int]
    segments: Segments
    batches: list[Batch]
    order: torch.Tensor

    @classmethod
    def of(cls, pieces: Sequence[Piece], device) -> "Layout":
        ids, positions, rows, targets, weights, lengths, predictions = [], [], [], [], [], [], []
        sequences: list[tuple[range, range]] = []  # what each attends to before itself, and itself
        for piece in pieces:
            start, prompt = len(ids), len(piece.prompt)
            ids += piece.prompt
            positions += range(prompt)
            alone = len(piece.responses) == 1
            if not alone:
                sequences.append((range(0), range(start, start + prompt)))
            for response, weight in zip(piece.responses, piece.weights, strict=True):
                first = len(ids)
                ids += response[:-1]
                positions += range(prompt, prompt + len(response) - 1)
                rows += [start + prompt - 1, *range(first, len(ids))]
                targets += response
                weights += [weight / len(response)] * len(response)
                if alone:
                    sequences.append((range(0), range(start, len(ids))))
                elif len(response) > 1:
                    sequences.append((range(start, start + prompt), range(first, len(ids))))
            lengths.append(len(ids) - start)
            predictions.append(sum(map(len, piece.responses)))
        batches, order = _batches(sequences, len(ids), device)
        return cls(
            torch.tensor([ids], device=device),
            torch.tensor([positions], device=device),
            torch.tensor(rows, device=device),
            torch.tensor(targets, device=device),
            torch.tensor(weights, dtype=torch.float64, device=device),
            lengths,
            predictions,
            Segments.of(lengths, device),
            batches,
            order,
        )


def _batches(sequences: list[tuple[range, range]], n_tokens: int, device) -> tuple[list[Batch], torch.Tensor]:
    """Attention's batches of sequences of like lengths, and where each token's output row is among theirs."""
    sequences = sorted(sequences, key=lambda s: (len(s[0]) > 0, len(s[0]) + len(s[1]), len(s[1])))
    batches, order, offset, start = [], torch.empty(n_tokens, dtype=torch.long), 0, 0
    while start < len(sequences):
        before, own = sequences[start]
        end = start + 1
        while end < len(sequences) and _alike((before, own), sequences[end]):
            end += 1
        members = sequences[start:end]
        width = max(len(s[1]) for s in members)
        for row, (_, itself) in enumerate(members):
            order[itself.start : itself.stop] = offset + row * width + torch.arange(len(itself))
        offset += len(members) * width
        batches.append(_batch(members, width, device))
        start = end
    return batches, order.to(device)


def _alike(a: tuple[range, range], b: tuple[range, range]) -> bool:
    if (len(a[0]) > 0) != (len(b[0]) > 0):
        return False
    lengths = (len(a[0]), len(b[0])), (len(a[1]), len(b[1]))
    return all(max(pair) <= MAX_PADDING * min(pair) + 2 for pair in lengths)


def _batch(members: list[tuple[range, range]], width: int, device) -> Batch:
    """Right-padded queries; keys are what comes before (padded at its left), then the sequence itself."""
    n, before = len(members), max(len(s[0]) for s in members)
    keys, mask = torch.zeros(n, before + width, dtype=torch.long), None
    for row, (prefix, itself) in enumerate(members):
        keys[row, before - len(prefix) : before] = torch.arange(prefix.start, prefix.stop)
        keys[row, before : before + len(itself)] = torch.arange(itself.start, itself.stop)
    if before:
        causal = torch.ones(width, before + width, dtype=torch.bool).tril(before)
        there = torch.tensor([before - len(s[0]) for s in members])[:, None] <= torch.arange(before + width)
        mask = (causal & there[:, None, :])[:, None].to(device)
    return Batch(keys[:, before:].to(device), keys.to(device), mask)
