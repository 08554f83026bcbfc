"""Attention over a pack, as one of transformers' attention implementations: exact, without a quadratic mask.

Each sequence of the pack attends to itself alone, or to its prompt's one shared copy and itself. Sequences of like
lengths go through `scaled_dot_product_attention` together, so that short ones cost no launch each.
"""

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.layout import Layout

NAME = "unlearn_packed"


def packed_attention(module, query, key, value, attention_mask, scaling=None, layout: Layout | None = None, **kwargs):
    """query: (1, heads, tokens, dim); key, value: (1, key-value heads, tokens, dim) → (1, tokens, heads, dim), None."""
    if layout is None:
        raise UserError(f"{type(module).__name__} does not hand keyword arguments to its attention: not supported")
    window = kwargs.get("sliding_window")
    if window and max(batch.keys.shape[1] for batch in layout.batches) > window:
        raise UserError(f"a rollout is longer than the model's sliding window of {window} tokens: not supported")
    query, key, value = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    outputs = [_attend(batch, query, key, value, scaling) for batch in layout.batches]
    return torch.cat(outputs).index_select(0, layout.order)[None], None


def _attend(batch, query, key, value, scaling) -> torch.Tensor:
    """(tokens, heads, dim) each → rows of this batch, padding included: (sequences * q, heads, dim)."""
    q = _rows(query, batch.queries)
    k, v = (_rows(tensor, batch.keys) for tensor in (key, value))
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = (tensor.repeat_interleave(groups, dim=1) for tensor in (k, v))
    out = scaled_dot_product_attention(q, k, v, batch.mask, is_causal=batch.mask is None, scale=scaling)
    return out.transpose(1, 2).flatten(0, 1)


def _rows(tensor: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """(tokens, heads, dim), (sequences, length) → (sequences, heads, length, dim)."""
    return tensor.index_select(0, index.flatten()).unflatten(0, index.shape).transpose(1, 2)


ALL_ATTENTION_FUNCTIONS.register(NAME, packed_attention)
