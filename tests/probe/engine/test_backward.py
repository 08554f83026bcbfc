import copy
import random

import pytest
import torch
from peft import LoraConfig, get_peft_model

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.engine.backward import Backward
from openrlhf_unlearn.probe.engine.packing import Piece, cut, packs
from openrlhf_unlearn.probe.engine.subspace import adapter, full, lora
from tests.probe.models import oracle, rollouts, tiny

ARCHITECTURES = [
    (name, tied, heads) for name in ("qwen2", "qwen3", "llama") for tied in (True, False) for heads in (2, 4)
]


def pieces_of(seed: int = 0, prompts: int = 3) -> list[Piece]:
    """Ragged pieces: one, two and three rollouts behind a prompt, with weights."""
    pieces = []
    for unit in range(prompts):
        prompt, responses = rollouts(seed + unit, unit % 3 + 1)
        pieces.append(Piece(unit, prompt, responses, [1.0 + 0.5 * i for i in range(len(responses))]))
    return pieces


def by_autograd(model, parameters, pieces) -> torch.Tensor:
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_()
    model.set_attn_implementation("eager")
    return torch.stack(
        [
            sum(w * oracle(model, parameters, p.prompt, r) for r, w in zip(p.responses, p.weights, strict=True))
            for p in pieces
        ]
    )


def close(ours, theirs, tolerance=1e-6) -> bool:
    return bool(((ours - theirs).norm(dim=1) <= tolerance * theirs.norm(dim=1)).all())


@pytest.mark.parametrize(("architecture", "tied", "heads"), ARCHITECTURES)
def test_is_peft_adapters_own_gradient(architecture, tied, heads):
    model = tiny(architecture, tied, heads)
    torch.manual_seed(7)
    adapted = get_peft_model(copy.deepcopy(model), LoraConfig(r=4, lora_alpha=8), autocast_adapter_dtype=False)
    b = [p for name, p in adapted.named_parameters() if "lora_B" in name]
    pieces = pieces_of()
    expected = by_autograd(adapted.base_model.model, b, pieces)
    ours = Backward(model, lora(model, rank=4, alpha=8, seed=7))(pieces)
    assert expected.norm() > 0
    assert close(ours, expected)


@pytest.mark.parametrize(("architecture", "tied", "heads"), ARCHITECTURES)
def test_is_the_full_gradient(architecture, tied, heads):
    model = tiny(architecture, tied, heads)
    pieces = pieces_of(5)
    expected = by_autograd(model, list(model.parameters()), pieces)
    probe = Backward(model, subspace := full(model, None))
    ours = probe(pieces)
    starts = {}
    for tap in subspace.taps:
        kind = "bias" if tap.kind == "bias" else "weight"
        starts[id(getattr(model.get_submodule(tap.module), kind))] = tap.start, tap.size
    blocks = [ours[:, s : s + n] for s, n in (starts[id(p)] for p in model.parameters())]
    assert close(torch.cat(blocks, 1), expected)


def test_trained_adapter(tmp_path):
    model = tiny()
    torch.manual_seed(0)
    adapted = get_peft_model(copy.deepcopy(model), LoraConfig(r=3, lora_alpha=6), autocast_adapter_dtype=False)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)
    adapted.save_pretrained(tmp_path)
    named = dict(adapted.named_parameters())
    parameters = [p for part in ("lora_B", "lora_A") for name, p in named.items() if part in name]
    pieces = pieces_of(3)
    expected = by_autograd(adapted.base_model.model, parameters, pieces)
    assert close(Backward(model, adapter(model, str(tmp_path)))(pieces), expected)


@pytest.mark.parametrize("head_rows", [1, 4, 1000])
def test_any_packing(head_rows):
    model = tiny("qwen3")
    pieces = [Piece(unit, *rollouts(unit, 5), [1.0] * 5) for unit in range(6)]
    parts = [Backward(model, lora(model, rank=2), head_rows=head_rows)]
    expected = torch.cat([parts[0]([piece]) for piece in pieces])
    for tokens in (1, 10, 40, 10_000):
        ours = torch.zeros_like(expected)
        for pack in packs([small for piece in pieces for small in cut(piece, tokens)], tokens):
            ours.index_add_(0, torch.tensor([piece.unit for piece in pack]), parts[0](pack))
        assert close(ours, expected)


@pytest.mark.parametrize("attention", ["batches", "flex"])
def test_states_are_the_last_hidden_states_at_the_prompts_ends(attention):
    model, pieces = tiny("qwen2", True, 2), pieces_of()
    backward = Backward(model, lora(model), attention=attention)
    backward(pieces)
    model.set_attn_implementation("eager")
    expected = [model.base_model(torch.tensor([list(p.prompt)])).last_hidden_state[0, -1] for p in pieces]
    assert close(backward.states, torch.stack(expected).to(backward.states.dtype), 1e-4)


def test_temperature_divides_the_logits():
    model = tiny(tied=False)
    pieces = pieces_of()
    ours = Backward(model, lora(model), temperature=2.0)(pieces)
    other = tiny(tied=False)
    other.lm_head.weight.data /= 2
    assert close(ours, Backward(other, lora(other))(pieces))


def test_projection_keeps_inner_products_on_average():
    model = tiny()
    pieces = pieces_of()
    exact = Backward(model, full(model, None))(pieces)
    gram = [g @ g.T for g in (Backward(model, full(model, 700, seed))(pieces) for seed in range(40))]
    mean, expected = torch.stack(gram).mean(0), exact @ exact.T
    scale = expected.diagonal().sqrt()
    error = (mean - expected) / scale[:, None] / scale
    assert error.abs().max() < 0.12
    assert (gram[0] - expected).abs().max() > 0


def test_bfloat16_is_near_float32():
    pieces = pieces_of(random.Random(1).randrange(100))
    low, high = tiny(dtype=torch.bfloat16), tiny(dtype=torch.bfloat16).float()
    ours, theirs = (Backward(m, lora(m, rank=4))(pieces) for m in (low, high))
    assert ours.dtype == torch.float32
    assert torch.cosine_similarity(ours, theirs).min() > 0.98


def test_unknown_target_lists_the_known_ones():
    with pytest.raises(UserError, match=r"c_attn: the model has no such module.*q_proj"):
        lora(tiny(), targets=["q_proj", "c_attn"])
