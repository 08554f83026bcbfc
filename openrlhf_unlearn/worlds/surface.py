"""What can be seen of one of the built-in world's prompts by itself, and whether it tells what can be learned."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from openrlhf_unlearn.stats.auc import auc
from openrlhf_unlearn.store.run_dir import read_json
from openrlhf_unlearn.worlds.model import sample_answers
from openrlhf_unlearn.worlds.task import SETTINGS, Problem, draw_prompts, is_correct

SAMPLES = 64


def surface_areas(world: Path, samples: int = SAMPLES) -> dict[str, float | None]:
    """Of each thing that is seen of a prompt's sampled answers, the AUC of learnable against unlearnable prompts,
    trained and held-out ones together: 384 in the standard setting, a standard error of 0.03."""
    settings = read_json(world / "world.json")
    problems = [p for split in draw_prompts(SETTINGS[settings["setting"]], settings["seed"]) for p in split]
    problems = [p for p in problems if p.group in ("learnable", "unlearnable")]
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(world / "model")
    model = AutoModelForCausalLM.from_pretrained(world / "model").float().eval()
    answers = sample_answers(model, tokenizer, problems, samples, seed=0)
    rows = []
    for problem, own in zip(problems, answers, strict=True):
        lengths = [len(tokens) for tokens in tokenizer(own)["input_ids"]]
        rows.append(surface(problem, own, lengths) | token_entropies(model, tokenizer, problem.prompt, own))
    learnable = np.array([p.group == "learnable" for p in problems])
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {name: auc(values[~learnable], values[learnable]) for name, values in columns.items()}


def surface(problem: Problem, answers: list[str], lengths: list[int]) -> dict[str, float]:
    """What can be seen of one prompt's sampled answers, of so many tokens each, without a look at other prompts."""
    tokens = np.array(lengths)
    right = np.array([is_correct(text, problem.label) for text in answers])
    boxes = Counter(text.rpartition("{")[2] for text in answers)
    shares = np.array(list(boxes.values())) / len(answers)
    return {
        "initial pass rate": right.mean(),
        "length": tokens.mean(),
        "length of correct answers": tokens[right].mean() if right.any() else np.nan,
        "spread of lengths": tokens.std(),
        "answer entropy": -(shares * np.log(shares)).sum(),
        "frequency of the commonest answer": shares.max(),
        "different answers": len(boxes),
        "different texts": len(set(answers)),
        "different correct texts": len({text for text, yes in zip(answers, right, strict=True) if yes}),
    }


@torch.no_grad()
def token_entropies(model: Any, tokenizer: Any, prompt: str, answers: list[str]) -> dict[str, float]:
    """Mean over answers of the policy's entropy at each token of an answer, and of the answer's surprise."""
    batch = tokenizer([prompt + text for text in answers], padding=True, padding_side="right", return_tensors="pt")
    ids, start = batch["input_ids"], len(tokenizer(prompt)["input_ids"])
    logs = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits[:, start - 1 : -1].log_softmax(-1)
    mask = batch["attention_mask"][:, start:]
    surprise = -logs.gather(2, ids[:, start:, None])[..., 0]
    seen = {"token entropy": -(logs.exp() * logs).sum(-1), "surprise": surprise}
    return {name: float(((value * mask).sum(1) / mask.sum(1)).mean()) for name, value in seen.items()}
