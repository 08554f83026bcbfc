"""The probe on CUDA, PyTorch and transformers alone: FlexAttention's kernel, and bfloat16 beside float32."""

import numpy as np
import pytest
import torch

from openrlhf_unlearn.probe import Rollouts, lora, similarity
from openrlhf_unlearn.probe.engine.backward import Backward
from openrlhf_unlearn.probe.engine.gradients import Stream, collect
from tests.gpu import DEVICE, needs_gpus

pytestmark = needs_gpus()

VOCABULARY = 2000
SHAPES = [(14, 2, 896), (16, 4, 2048), (16, 16, 2048)]  # heads, key-value heads, hidden: Qwen2.5-0.5B's first


def model(device: str, dtype: torch.dtype, heads: int = 14, kv_heads: int = 2, hidden: int = 896):
    """Two layers; the weights are drawn on the CPU, so they are the same on every device."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        tie_word_embeddings=True,
        pad_token_id=0,
    )
    return Qwen2ForCausalLM(config).to(device, dtype).eval()


def rollouts(prompts: int = 4, correct: int = 4, length: int = 60) -> list[Rollouts]:
    """Prompts of one family share the tokens that they answer with, so that their gradients are alike."""
    rng = np.random.default_rng(0)
    words = [rng.integers(1, VOCABULARY, 40) for _ in range(2)]
    draw = lambda family, n: rng.choice(words[family], n).tolist()  # noqa: E731
    return [
        Rollouts(f"p{i}", draw(i % 2, length), {"correct": [draw(i % 2, length + 7 * j) for j in range(correct)]})
        for i in range(prompts)
    ]


def gradients(device: str, dtype: torch.dtype, attention: str | None = None, sampled=None, **shape):
    backward = Backward(net := model(device, dtype, **shape), lora(net), attention=attention)
    assert attention is None or DEVICE == "cpu" or backward.attention == attention
    return collect(Stream(backward, 10, 4096)(sampled or rollouts()))["correct"]


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest relative one of a prompt's gradient."""
    return float((np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).max())


@pytest.mark.parametrize(("heads", "kv_heads", "hidden"), SHAPES)
@pytest.mark.parametrize(("dtype", "bar"), [(torch.float32, 1e-3), (torch.bfloat16, 0.05)])
def test_flexattentions_kernel_gives_the_gradients_of_the_batches(dtype, bar, heads, kv_heads, hidden):
    shape = {"heads": heads, "kv_heads": kv_heads, "hidden": hidden}
    flex, batches = (gradients(DEVICE, dtype, kind, **shape).mean for kind in ("flex", "batches"))
    assert difference(flex, batches) < bar


def test_the_device_does_not_change_the_gradients():
    taps = [lora(model(device, torch.float32)).taps for device in ("cpu", DEVICE)]
    assert all(torch.equal(a.right.cpu(), b.right.cpu()) for a, b in zip(*taps, strict=True)), "another adapter"
    assert difference(gradients(DEVICE, torch.float32).mean, gradients("cpu", torch.float32).mean) < 1e-3


def test_similarity_in_bfloat16_is_that_in_float32():
    """Each prompt's mean cosine to the others, of which the labels' separation is made."""
    sampled, groups = rollouts(8), ["easy", "unlearnable"] * 4
    found = [similarity(gradients(DEVICE, d, sampled=sampled), groups) for d in (torch.float32, torch.bfloat16)]
    exact, rounded = (result.plain[:, 0] for result in found)
    assert np.abs(exact - rounded).max() < 0.02 < exact.max()
