"""The built-in world's model: a Qwen2 of 0.45 M parameters, warmed up on the task in under a minute on two cores."""

import math
import random
from itertools import islice
from typing import Any

import torch
from tqdm import tqdm
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

from openrlhf_unlearn.worlds.task import Problem, Setting, is_correct, warm_up_texts
from openrlhf_unlearn.worlds.tokenizer import VOCABULARY

STEPS, BATCH, LEARNING_RATE, LR_WARMUP_STEPS = 600, 64, 3e-3, 50  # the task itself takes 200 to 300 steps
MAX_NEW_TOKENS = 16  # two skills of two digits, two marks, a box of four digits and `<eos>` are 15


def build_model(tokenizer: Any, seed: int) -> Qwen2ForCausalLM:
    """A randomly initialised model. The wide initialisation matters: a narrower one learns far more slowly."""
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(VOCABULARY),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        initializer_range=0.06,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,  # the whole distribution, as training samples it
        top_p=1.0,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def warm_up(
    model: Qwen2ForCausalLM, tokenizer: Any, setting: Setting, seed: int, held_back: set[str], steps: int = STEPS
) -> list[float]:
    """Train the model on warm-up texts, never on a prompt of `held_back`; returns the loss of each step."""
    texts = warm_up_texts(setting, seed, held_back, random.Random(f"warm-up {seed}"))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _learning_rate_factor(step, steps))
    losses = []
    model.train()
    with tqdm(range(steps), desc="warm-up", unit="step", mininterval=1) as bar:
        for _ in bar:
            loss = _answer_loss(model, tokenizer, list(islice(texts, BATCH)))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    return losses


def _learning_rate_factor(step: int, steps: int) -> float:
    """Linear for LR_WARMUP_STEPS steps, then a cosine down to 0."""
    if step < LR_WARMUP_STEPS:
        return (step + 1) / LR_WARMUP_STEPS
    return 0.5 * (1 + math.cos(math.pi * (step - LR_WARMUP_STEPS) / max(1, steps - LR_WARMUP_STEPS)))


def _answer_loss(model: Qwen2ForCausalLM, tokenizer: Any, pairs: list[tuple[str, str]]) -> torch.Tensor:
    """Mean negative log-likelihood of the answers' tokens; the prompts' digits are random and not to be learned."""
    batch = tokenizer([prompt + answer for prompt, answer in pairs], padding=True, padding_side="right")
    tokens, mask = torch.tensor(batch["input_ids"]), torch.tensor(batch["attention_mask"])
    labels = tokens.masked_fill(mask == 0, -100)
    labels[:, : len(pairs[0][0])] = -100  # every prompt has the same length, a token a character
    return model(input_ids=tokens, attention_mask=mask, labels=labels).loss


def pass_rates(model: Qwen2ForCausalLM, tokenizer: Any, problems: list[Problem], n: int, seed: int) -> list[float]:
    """The share of correct ones among `n` sampled answers to each problem, at temperature 1."""
    answers = sample_answers(model, tokenizer, problems, n, seed)
    return [sum(is_correct(text, p.label) for text in own) / n for p, own in zip(problems, answers, strict=True)]


@torch.no_grad()
def sample_answers(model: Any, tokenizer: Any, problems: list[Problem], n: int, seed: int) -> list[list[str]]:
    """`n` answers to each problem, sampled at temperature 1, `<eos>` included."""
    torch.manual_seed(seed)
    model.eval()
    answers = []
    for start in tqdm(range(0, len(problems), 64), desc="measuring", unit="batch"):
        chunk = problems[start : start + 64]
        batch = tokenizer([problem.prompt for problem in chunk], return_tensors="pt")
        prompts = {name: batch[name] for name in ("input_ids", "attention_mask")}
        tokens = model.generate(**prompts, max_new_tokens=MAX_NEW_TOKENS, num_return_sequences=n)
        texts = tokenizer.batch_decode(tokens[:, batch["input_ids"].shape[1] :])
        texts = [text.replace(tokenizer.pad_token, "") for text in texts]
        answers += [texts[i : i + n] for i in range(0, len(texts), n)]
    return answers
