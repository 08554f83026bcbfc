"""Attention over a pack by `scaled_dot_product_attention`, without a quadratic mask: what a CPU takes.

Sequences of like lengths go through together, so that short ones cost no call each; padding is small and left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import scaled_dot_product_attention

MAX_PADDING = 1.15  # longest over shortest sequence that may share a batch
Span = tuple[range, range]  # rows that a sequence attends to before itself, and its own


@dataclass(frozen=True)
class AttentionBatch:
    """Sequences of about one length that attention takes together; index rows are padded with row 0.

    queries: (sequences, q); keys: (sequences, k); mask: (sequences, 1, q, k), None where plain causal attention does.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    mask: torch.Tensor | None

    def __call__(self, query, key, value, scaling) -> torch.Tensor:
        """(tokens, heads, dim) each → rows of this batch, padding included: (sequences * q, heads, dim)."""
        q = _rows(query, self.queries)
        k, v = (_rows(tensor, self.keys) for tensor in (key, value))
        groups = q.shape[1] // k.shape[1]
        if groups > 1:
            k, v = (tensor.repeat_interleave(groups, dim=1) for tensor in (k, v))
        out = scaled_dot_product_attention(q, k, v, self.mask, is_causal=self.mask is None, scale=scaling)
        return out.transpose(1, 2).flatten(0, 1)


class Batches:
    """batches: of all sequences; order: (tokens,) where each token's row is among their concatenated rows."""

    def __init__(self, spans: Sequence[Span], tokens: int, device):
        spans = sorted(spans, key=lambda s: (len(s[0]) > 0, len(s[0]) + len(s[1]), len(s[1])))
        self.batches, order, offset, start = [], torch.empty(tokens, dtype=torch.long), 0, 0
        while start < len(spans):
            end = start + 1
            while end < len(spans) and _alike(spans[start], spans[end]):
                end += 1
            members = spans[start:end]
            width = max(len(own) for _, own in members)
            for row, (_, own) in enumerate(members):
                order[own.start : own.stop] = offset + row * width + torch.arange(len(own))
            offset += len(members) * width
            self.batches.append(_batch(members, width, device))
            start = end
        self.order = order.to(device)

    def __call__(self, query, key, value, scaling) -> torch.Tensor:
        """query: (1, heads, tokens, dim); key, value: (1, key-value heads, tokens, dim) → (1, tokens, heads, dim)."""
        query, key, value = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
        outputs = [batch(query, key, value, scaling) for batch in self.batches]
        return torch.cat(outputs).index_select(0, self.order)[None]


def _rows(tensor: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """(tokens, heads, dim), (sequences, length) → (sequences, heads, length, dim)."""
    return tensor.index_select(0, index.flatten()).unflatten(0, index.shape).transpose(1, 2)


def _alike(a: Span, b: Span) -> bool:
    if (len(a[0]) > 0) != (len(b[0]) > 0):
        return False
    lengths = (len(a[0]), len(b[0])), (len(a[1]), len(b[1]))
    return all(max(pair) <= MAX_PADDING * min(pair) + 2 for pair in lengths)


def _batch(members: list[Span], width: int, device) -> AttentionBatch:
    """Right-padded queries; keys are what comes before (padded at its left), then the sequence itself."""
    n, before = len(members), max(len(s[0]) for s in members)
    keys, mask = torch.zeros(n, before + width, dtype=torch.long), None
    for row, (prefix, own) in enumerate(members):
        keys[row, before - len(prefix) : before] = torch.arange(prefix.start, prefix.stop)
        keys[row, before : before + len(own)] = torch.arange(own.start, own.stop)
    if before:
        causal = torch.ones(width, before + width, dtype=torch.bool).tril(before)
        there = torch.tensor([before - len(s[0]) for s in members])[:, None] <= torch.arange(before + width)
        mask = (causal & there[:, None, :])[:, None].to(device)
    return AttentionBatch(keys[:, before:].to(device), keys.to(device), mask)
