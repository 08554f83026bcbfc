"""Tiny random models of real architectures, their rollouts, and gradients by plain autograd, a rollout at a time."""

import random

import torch
from torch.nn.functional import cross_entropy

VOCABULARY = 23


def tiny(architecture: str = "qwen2", tied: bool = True, kv_heads: int = 2, dtype=torch.float64, head: int = 4):
    """A random causal LM: hidden 16, two layers, four heads."""
    import transformers

    prefix = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama"}[architecture]
    config = getattr(transformers, f"{prefix}Config")(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        head_dim=head,
        tie_word_embeddings=tied,
        initializer_range=0.3,
        max_position_embeddings=64,
        pad_token_id=None,
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{prefix}ForCausalLM")(config).to(dtype).eval()
    for name, parameter in model.named_parameters():  # norms and biases that are not all one or zero
        if parameter.ndim == 1:
            parameter.data += 0.3 * torch.randn_like(parameter)
        assert parameter.dtype == dtype, name
    return model


def rollouts(seed: int, n: int, longest: int = 9) -> tuple[list[int], list[list[int]]]:
    """A prompt and n responses of ragged lengths; one of them a single token."""
    rng = random.Random(seed)
    prompt = [rng.randrange(VOCABULARY) for _ in range(rng.randint(1, longest))]
    responses = [[rng.randrange(VOCABULARY) for _ in range(rng.randint(1, longest))] for _ in range(n)]
    responses[0] = responses[0][:1]
    return prompt, responses


def oracle(model, parameters: list, prompt: list[int], response: list[int]) -> torch.Tensor:
    """Gradient of one rollout's mean negative log-likelihood at `parameters`, flat, by the model's own forward."""
    logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
    loss = cross_entropy(logits, torch.tensor(response))
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
