import pytest
import torch
from torch.nn.attention import flex_attention

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.engine.attention import choose, packed_attention
from openrlhf_unlearn.probe.engine.backward import Backward
from openrlhf_unlearn.probe.engine.batches import Batches
from openrlhf_unlearn.probe.engine.flex import Flex
from openrlhf_unlearn.probe.engine.layout import Layout
from openrlhf_unlearn.probe.engine.packing import Piece
from openrlhf_unlearn.probe.engine.subspace import lora
from tests.probe.models import rollouts, tiny


def pieces_of(longest: int, seed: int = 0) -> list[Piece]:
    """Four prompts with one to four ragged rollouts each."""
    sampled = [rollouts(seed + unit, unit + 1, longest) for unit in range(4)]
    return [Piece(i, prompt, responses, [1.0] * len(responses)) for i, (prompt, responses) in enumerate(sampled)]


@pytest.fixture
def differentiable(monkeypatch):
    """PyTorch refuses FlexAttention's backward on a CPU, whose kernel has none; its uncompiled form, however, has."""
    monkeypatch.setattr(flex_attention, "_validate_device", lambda *tensors: None)


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("longest", [9, 150])
def test_flex_attends_as_batches_do(differentiable, heads, longest):
    layouts = [Layout.of(pieces_of(longest), "cpu", kind) for kind in (Batches, Flex)]
    tokens = layouts[0].input_ids.shape[1]
    query = torch.randn(1, 4, tokens, 8, dtype=torch.float64, requires_grad=True)
    key, value = (torch.randn(1, heads, tokens, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))
    probe = torch.randn(1, tokens, 4, 8, dtype=torch.float64)
    results = []
    for layout in layouts:
        out = layout.attend(query, key, value, 0.3)
        results.append([out, *torch.autograd.grad((out * probe).sum(), (query, key, value))])
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_mask_holds_no_more_blocks_than_attend():
    layout = Layout.of(pieces_of(300, seed=3), "cpu", Flex)
    mask = layout.attend.mask
    length = layout.attend.padded
    dense = flex_attention.create_mask(mask.mask_mod, None, None, length, length, "cpu")[0, 0]
    there = dense.unflatten(0, (-1, 128)).unflatten(2, (-1, 128)).any(3).any(1)
    assert torch.equal(mask.to_dense()[0, 0].bool(), there)
    assert there.float().mean() < 0.5


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama"])
@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_gradients_by_flex_are_those_by_batches(differentiable, capsys, architecture, heads, dtype, tolerance):
    found = []
    for kind in ("batches", "flex"):
        model = tiny(architecture, kv_heads=heads, dtype=dtype)
        backward = Backward(model, lora(model, rank=4), attention=kind)
        assert backward.attention == kind
        found.append(backward(pieces_of(40)))
    assert not capsys.readouterr().err
    assert found[1].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert ((found[1] - found[0]).norm(dim=1) <= tolerance * found[0].norm(dim=1)).all()


def test_goes_on_with_batches_where_flex_does_not_run(capsys):
    models = [tiny(), tiny()]
    ours = Backward(models[0], lora(models[0]), attention="flex")
    assert "FlexAttention does not serve here (FlexAttention does not support backward" in capsys.readouterr().err
    assert torch.equal(ours(pieces_of(9)), Backward(models[1], lora(models[1]))(pieces_of(9)))


def test_goes_on_with_batches_where_flex_is_wrong(differentiable, monkeypatch, capsys):
    monkeypatch.setattr(Flex, "__call__", lambda self, query, key, value, scaling: query.transpose(1, 2))
    model = tiny()
    assert Backward(model, lora(model), attention="flex").attention == "batches"
    assert "other gradients" in capsys.readouterr().err


def test_a_cpu_takes_batches():
    assert choose(tiny()) == "batches"


def test_a_window_shorter_than_a_rollout_is_refused():
    layout = Layout.of(pieces_of(9), "cpu")
    with pytest.raises(UserError, match="sliding window of 3"):
        packed_attention(None, None, None, None, None, layout=layout, sliding_window=3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)])
def test_on_a_gpu(dtype, tolerance):
    found = []
    for kind in ("batches", "flex"):
        model = tiny(dtype=dtype, head=16).cuda()
        backward = Backward(model, lora(model, rank=4), attention=kind)
        assert backward.attention == kind
        found.append(backward(pieces_of(150)))
    assert choose(model) == "flex"
    assert ((found[1] - found[0]).norm(dim=1) <= tolerance * found[0].norm(dim=1)).all()
