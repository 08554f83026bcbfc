"""Products of bfloat16 in float32: the same numbers, nothing else touched, and only where it is wanted."""

import gc
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile

from openrlhf_unlearn.machine import products

sizes, scales = st.integers(1, 9), st.integers(-3, 3)


@pytest.fixture(autouse=True)
def pytorchs_own():
    """Another test of this process may have replaced them, as training does."""
    restore()


def restore():
    products.replace_kernels.cache_clear()
    gc.collect()


@contextmanager
def replaced():
    products.replace_kernels()
    yield
    restore()


def widened() -> bool:
    """Whether a product of bfloat16 matrices converts them."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        torch.ones(2, 2, dtype=torch.bfloat16) @ torch.ones(2, 2, dtype=torch.bfloat16)
    return any(event.key == "aten::_to_copy" for event in seen.key_averages())


def test_a_linear_layer_and_its_gradients_are_those_of_float32_rounded():
    assert not widened()
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(33, 17).bfloat16(), torch.randn(4, 5, 33).bfloat16().requires_grad_()
    wide, wide_x = torch.nn.Linear(33, 17), x.detach().float().requires_grad_()
    wide.load_state_dict(layer.state_dict())
    towards = torch.randn(4, 5, 17).bfloat16()
    with replaced():
        assert widened()
        y = layer(x)
        y.backward(towards)
    assert not widened()
    wide_y = wide(wide_x)
    wide_y.backward(towards.float())
    for ours, theirs in (
        (y, wide_y),
        (x.grad, wide_x.grad),
        (layer.weight.grad, wide.weight.grad),
        (layer.bias.grad, wide.bias.grad),
    ):
        assert ours.dtype == torch.bfloat16
        torch.testing.assert_close(ours.float(), theirs, rtol=2**-7, atol=2**-7)


def test_every_operator_is_what_its_definition_says():
    """Of small whole numbers, so that no type rounds."""

    @given(sizes, sizes, sizes, sizes, scales, scales, st.sampled_from([torch.bfloat16, torch.float64, torch.int64]))
    def check(batch, n, k, m, alpha, beta, dtype):
        generator = torch.Generator().manual_seed(batch * 1000 + n * 100 + k * 10 + m)
        shapes = (batch, n, k), (batch, k, m), (batch, n, m)
        a, b, c = (torch.randint(-2, 3, shape, generator=generator).to(dtype) for shape in shapes)
        product = (a.double()[..., None] * b.double()[:, None]).sum(-2)
        sum_of = beta * c.double() + alpha * product
        assert torch.bmm(a, b).double().equal(product)
        assert torch.mm(a[0], b[0]).double().equal(product[0])
        assert torch.baddbmm(c, a, b, alpha=alpha, beta=beta).double().equal(sum_of)
        assert torch.addmm(c[0], a[0], b[0], alpha=alpha, beta=beta).double().equal(sum_of[0])
        assert torch.addmm(c[0, 0], a[0], b[0]).double().equal(c[0, 0].double() + product[0]), "a bias is broadcast"

    with replaced():
        check()


@pytest.mark.parametrize("what", ["a GPU", "a CPU with the instructions"])
def test_it_does_nothing_where_nothing_is_gained(what, monkeypatch):
    gpu = what == "a GPU"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: not gpu, raising=False)
    products.Widening().widen_products()
    assert not widened()
