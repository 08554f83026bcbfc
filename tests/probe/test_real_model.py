"""The probe's gradients on a real language model are autograd's own; skipped where no such model is."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from openrlhf_unlearn.probe import Rollouts, lora, prompt_gradients
from tests.probe.models import oracle

MODEL = os.environ.get("OPENRLHF_UNLEARN_REAL_MODEL", "real/start")

pytestmark = pytest.mark.skipif(
    not (Path(MODEL) / "config.json").exists(),
    reason=f"no model at {MODEL}: bash examples/real.sh makes it, OPENRLHF_UNLEARN_REAL_MODEL names another",
)


def test_gradients_are_those_of_autograd_in_float32():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    tokens = lambda text: tokenizer(text=text, add_special_tokens=False)["input_ids"]  # noqa: E731
    prompt, responses = tokens("7 + 8 = 15\n2 + 9 = 11\n5 + 4 ="), [tokens(" 9\n"), tokens(" 12\n"), tokens(" nine")]
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    found = prompt_gradients(model, [Rollouts("p", prompt, {"correct": responses})], lora(model))["correct"].mean[0]
    plain = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager")
    taps = lora(plain).taps
    weights = [plain.get_submodule(tap.module).weight.requires_grad_() for tap in taps]
    whole = torch.stack([oracle(plain, weights, prompt, response) for response in responses]).mean(0)
    parts = whole.split([weight.numel() for weight in weights])
    expected = np.concatenate(
        [(part.view_as(w) @ tap.right.T).flatten().numpy() for part, w, tap in zip(parts, weights, taps, strict=True)]
    )
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
