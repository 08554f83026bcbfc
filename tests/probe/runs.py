"""A small run directory, its model and rollouts: what a probe starts from, made without training or sampling."""

import random
from pathlib import Path

import torch

from openrlhf_unlearn.store.evaluations import Evaluations
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id
from openrlhf_unlearn.worlds.tokenizer import build_tokenizer
from tests.support.runs import start
from tests.tables import of_dicts

GROUPS = ("easy", "learnable", "unlearnable", "no_reward")
CORRECT = {"easy": 8, "learnable": 4, "unlearnable": 3, "no_reward": 0}  # of 10 rollouts


def save_model(folder: Path, seed: int = 0, dtype=torch.float64) -> Path:
    """A random two-layer Qwen2 with the built-in world's tokenizer."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = build_tokenizer()
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
        eos_token_id=tokenizer.eos_token_id,
    )
    Qwen2ForCausalLM(config).to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_run(path: Path, per_group: int = 6, tokens: bool = True, seed: int = 0) -> RunDir:
    """A classified run with an evaluation `initial` of ten rollouts a prompt."""
    rng, tokenizer = random.Random(seed), build_tokenizer()
    prompts, labels, rows = [], [], []
    for i in range(per_group * len(GROUPS)):
        group = GROUPS[i % len(GROUPS)]
        text = f"{'ACHV'[i % 4]}{''.join(rng.choices('123456789', k=rng.randint(1, 5)))}{i}="
        name = prompt_id(text, "7")
        prompts.append((text, "7"))
        labels.append({"prompt_id": name, "group": group, "initial_pass_rate": CORRECT[group] / 10})
        for sample in range(10):
            good = sample < CORRECT[group]
            work = "".join(rng.choices("123456789", k=rng.randint(0, 6)))
            text = f"#{work}\\boxed{{{7 if good else rng.choice('12345')}}}<eos>"
            ids = tokenizer(text=text, add_special_tokens=False)["input_ids"]
            rows.append(
                {
                    "prompt_id": name,
                    "sample": sample,
                    "response": text,
                    "reward": float(good),
                    "verdict": "correct" if good else "wrong",
                    "n_tokens": len(ids),
                    "response_tokens": ids if tokens else None,
                }
            )
    args = {"rollout": {"temperature": 1.0, "max_new_tokens": 24}}
    run = start(path, prompts, args=args)
    of_dicts(Learnability, labels).write(run)
    kept = Evaluations.response_tokens, Evaluations.reason, Evaluations.positive
    of_dicts(Evaluations, rows, *kept).write(run, "initial")
    return run
