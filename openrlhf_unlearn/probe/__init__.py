"""Per-prompt gradients and how alike they are (paper, section 5), on any Hugging Face causal LM.

The package is also the verb: `openrlhf_unlearn.probe(ProbeOptions(…))` is `openrlhf-unlearn probe`.
"""

import importlib

from openrlhf_unlearn.options import callable_as_verb

_FROM = {
    "Gradients": "gradient_summary",
    "Rollouts": "engine.packing",
    "prompt_gradients": "engine.gradients",
    "lora": "engine.subspace",
    "adapter": "engine.subspace",
    "full": "engine.subspace",
    "similarity": "measures.cosines",
}
__all__ = sorted(_FROM)


def __getattr__(name: str):
    """Import what is asked for when it is asked for: torch takes seconds, and reading results needs none of it."""
    if name not in _FROM:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_FROM[name]}"), name)


callable_as_verb(__name__)
