"""Rollouts as the host makes them: responses of an engine through its own `_process_response_into_experience`."""

import random

from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

from openrlhf_unlearn.collect.prompts import Prompt

PROMPT = Prompt("0" * 16, "What is 1 + 1?", "2", "")


def response(seed=0, length=20, *, vocabulary=150_000, log_probs=True, turns=1, inputs=None, **changes):
    """What RolloutRayActor.generate_responses returns for one sample."""
    rng = random.Random(seed)
    n_prompt = 5
    cuts = sorted(rng.sample(range(n_prompt, n_prompt + length + 1), 2 * turns))
    ranges = [(n_prompt, n_prompt + length)] if turns == 1 else list(zip(cuts[::2], cuts[1::2], strict=True))
    return {
        "prompt": PROMPT.text,
        "label": PROMPT.label,
        "images": PROMPT.images,
        "mm_train_inputs": inputs,
        "observation_tokens": [rng.randrange(vocabulary) for _ in range(n_prompt + length)],
        "action_ranges": ranges,
        "rollout_log_probs": [-rng.random() * 9 for _ in range(n_prompt + length)] if log_probs else None,
        "truncated": rng.random() < 0.5,
        "reward": float(rng.random() < 0.5),
        "scores": rng.random(),
        "extra_logs": {"parts": 0.1, "steps": 3},
        **changes,
    }


def rollout(seed=0, length=20, max_len=4096, **changes):
    return SamplesGenerator._process_response_into_experience(None, response(seed, length, **changes), max_len=max_len)
