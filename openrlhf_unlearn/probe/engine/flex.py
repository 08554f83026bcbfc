"""Attention over a pack in one kernel, PyTorch's FlexAttention: what a GPU takes.

A mask of blocks, made from the sequences' spans, tells the kernel which 128 × 128 blocks hold any pair that attends;
within those, a token attends to itself and what is before it in its own sequence or in the prompt that this shares.
Packs are padded to powers of two with rows that attend to themselves alone, so that few shapes are compiled.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from torch.nn.functional import pad

from openrlhf_unlearn.probe.engine.batches import Span

BLOCK = 128


class Flex:
    """The mask of one pack, and its attention."""

    def __init__(self, spans: Sequence[Span], tokens: int, device):
        self.tokens, self.padded = tokens, max(BLOCK, 1 << (tokens - 1).bit_length())
        blocks = self.padded // BLOCK
        own = torch.arange(self.padded)  # a sequence is called by its first row
        before = own.clone()
        there = torch.eye(blocks, dtype=torch.bool)  # blocks of (queries, keys) in which any token attends
        for prefix, itself in spans:
            rows = slice(itself.start, itself.stop)
            own[rows] = itself.start
            before[rows] = prefix.start if prefix else itself.start
            for keys in filter(len, (prefix, itself)):
                there[_blocks(itself), _blocks(keys)] = True
        there = there.tril()
        own, before = own.to(device), before.to(device)

        def attends(batch, head, query, key):
            return (key <= query) & ((own[key] == own[query]) | (own[key] == before[query]))

        counts = there.sum(1, dtype=torch.int32).to(device)
        indices = torch.argsort(there.int(), dim=1, descending=True, stable=True).int().to(device)
        shape = (self.padded, self.padded)
        self.mask = BlockMask.from_kv_blocks(
            counts[None, None], indices[None, None], BLOCK_SIZE=BLOCK, mask_mod=attends, seq_lengths=shape
        )

    def __call__(self, query, key, value, scaling) -> torch.Tensor:
        """query: (1, heads, tokens, dim); key, value: (1, key-value heads, tokens, dim) → (1, tokens, heads, dim)."""
        query, key, value = (pad(tensor, (0, 0, 0, self.padded - self.tokens)) for tensor in (query, key, value))
        groups = query.shape[1] // key.shape[1]
        if groups & (groups - 1):  # the kernel shares keys among powers of two
            key, value = (tensor.repeat_interleave(groups, dim=1) for tensor in (key, value))
        attend = _compiled() if query.is_cuda else flex_attention
        out = attend(query, key, value, block_mask=self.mask, scale=scaling, enable_gqa=query.shape[1] > key.shape[1])
        return out[:, :, : self.tokens].transpose(1, 2)


def _blocks(rows: range) -> slice:
    return slice(rows.start // BLOCK, (rows.stop - 1) // BLOCK + 1)


@cache
def _compiled():
    return torch.compile(flex_attention)
