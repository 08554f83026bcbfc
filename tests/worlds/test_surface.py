"""The gate of the built-in world: nothing that is seen of a prompt by itself tells what can be learned."""

from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForCausalLM, AutoTokenizer

from openrlhf_unlearn.store.run_dir import read_json
from openrlhf_unlearn.worlds.model import sample_answers
from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts, is_correct

N, BAR = 64, 0.6


@torch.no_grad()
def token_entropies(model, tokenizer, prompt: str, answers: list[str]) -> tuple[float, float]:
    """Mean over answers of the policy's entropy at each token of an answer, and of the answer's surprise."""
    batch = tokenizer([prompt + text for text in answers], padding=True, padding_side="right", return_tensors="pt")
    ids, start = batch["input_ids"], len(tokenizer(prompt)["input_ids"])
    logs = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits[:, start - 1 : -1].log_softmax(-1)
    mask = batch["attention_mask"][:, start:]
    surprise = -logs.gather(2, ids[:, start:, None])[..., 0]
    entropy = -(logs.exp() * logs).sum(-1)
    return tuple(float(((value * mask).sum(1) / mask.sum(1)).mean()) for value in (entropy, surprise))


def surface(model, tokenizer, problem, answers: list[str]) -> dict[str, float]:
    """What can be seen of one prompt's sampled answers, without a look at other prompts."""
    lengths = np.array([len(tokenizer(text)["input_ids"]) for text in answers])
    right = np.array([is_correct(text, problem.label) for text in answers])
    boxes = Counter(text.rpartition("{")[2] for text in answers)
    shares = np.array(list(boxes.values())) / len(answers)
    entropy, surprise = token_entropies(model, tokenizer, problem.prompt, answers)
    return {
        "initial pass rate": right.mean(),
        "length": lengths.mean(),
        "length of correct answers": lengths[right].mean() if right.any() else np.nan,
        "spread of lengths": lengths.std(),
        "token entropy": entropy,
        "surprise": surprise,
        "answer entropy": -(shares * np.log(shares)).sum(),
        "frequency of the commonest answer": shares.max(),
        "different answers": len(boxes),
        "different texts": len(set(answers)),
    }


@pytest.mark.slow
def test_no_surface_tells_learnable_from_unlearnable(world):
    """AUC at most 0.6 in either direction, over trained and held-out prompts: 384 of them, a standard error of 0.03."""
    settings = read_json(world / "world.json")
    train, heldout = draw_prompts(SETTINGS[settings["setting"]], settings["seed"])
    problems = [p for p in (*train, *heldout) if p.group in ("learnable", "unlearnable")]
    tokenizer = AutoTokenizer.from_pretrained(world / "model")
    model = AutoModelForCausalLM.from_pretrained(world / "model").float().eval()
    answers = sample_answers(model, tokenizer, problems, N, seed=0)
    rows = [surface(model, tokenizer, p, own) for p, own in zip(problems, answers, strict=True)]
    learnable = np.array([p.group == "learnable" for p in problems])

    texts = {text for p, own in zip(problems, answers, strict=True) for text in set(own) if is_correct(text, p.label)}
    assert {text[3] + text[7] for text in texts} == {"##", "#=", "=#", "=="}  # several texts for a correct answer
    found = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        there = ~np.isnan(values)
        found[name] = round(float(roc_auc_score(learnable[there], values[there])), 3)
    print(found)
    assert all(1 - BAR <= auc <= BAR for auc in found.values()), found
