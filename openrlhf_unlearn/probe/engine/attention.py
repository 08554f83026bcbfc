"""Attention over a pack, as one of transformers' attention implementations: exact, without a quadratic mask.

Each sequence of the pack attends to itself alone, or to its prompt's one shared copy and itself. A CPU computes that in
batches (batches.py), a GPU in one kernel (flex.py); the model does not notice.
"""

from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.engine.batches import Batches
from openrlhf_unlearn.probe.engine.flex import Flex

NAME = "unlearn_packed"
KINDS = {"batches": Batches, "flex": Flex}
SMALLEST_HEAD = 16  # numbers of a head that FlexAttention's kernel needs


def choose(model) -> str:
    """The kind for this model where it is: FlexAttention on a GPU, if its kernel takes such numbers and heads."""
    weight, config = model.get_input_embeddings().weight, model.config.get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return "flex" if weight.is_cuda and weight.element_size() <= 4 and head >= SMALLEST_HEAD else "batches"


def packed_attention(module, query, key, value, attention_mask, scaling=None, layout=None, **kwargs):
    """query: (1, heads, tokens, dim); key, value: (1, key-value heads, tokens, dim) → (1, tokens, heads, dim), None.

    layout: the pack's `Layout`, handed through the model's keyword arguments.
    """
    if layout is None:
        raise UserError(f"{type(module).__name__} does not hand keyword arguments to its attention: not supported")
    window = kwargs.get("sliding_window")
    if window and layout.longest > window:
        raise UserError(f"a rollout is longer than the model's sliding window of {window} tokens: not supported")
    return layout.attend(query, key, value, scaling), None


ALL_ATTENTION_FUNCTIONS.register(NAME, packed_attention)
