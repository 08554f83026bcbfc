"""Stands in for vLLM where a benchmark is about the trainer's side: everything else of the stack is real.

    python benchmarks/simulated.py [--plugin unlearn] [flags of openrlhf.cli.train_ppo_ray]

The launcher with engines that answer at once: random tokens, log-probs, and rewards by each prompt's own pass rate.
They join the weight sync and receive every tensor. `SIMULATED_LENGTH` is the number of response tokens (512 if unset).
"""

import hashlib
import os
import random
import sys
from pathlib import Path

import ray
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.host.cpu.weight_sync import cpu_group

LENGTH = "SIMULATED_LENGTH"
KINDS = ((0.35, 0.7), (0.25, 0.3), (0.25, 0.03), (0.15, 0.0))  # share of the prompts, pass rate


def pass_rate(prompt: str) -> float:
    place = int(hashlib.blake2b(prompt.encode(), digest_size=4).hexdigest(), 16) / 2**32
    for share, rate in KINDS:
        if place < share:
            return rate
        place -= share
    return 0.0


class SimulatedEngine:
    """The methods of RolloutRayActor that the host calls."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)

    def init_process_group(self, host, port, rank, world_size, group_name, backend, use_ray):
        self.group = cpu_group(host, port, rank, world_size)

    def update_weight(self, name, dtype, shape, empty_cache=False):
        self.group.broadcast(torch.empty(shape, dtype=dtype), src=0)

    def get_num_unfinished_requests(self) -> int:
        return 0

    def reset_prefix_cache(self):
        pass

    def pause_generation(self):
        pass

    def resume_generation(self):
        pass

    def generate_responses(
        self, prompt, label, sampling_params, max_length, hf_tokenizer, num_samples=1, images=None
    ) -> list[dict]:
        tokens = hf_tokenizer(text=prompt, add_special_tokens=False)["input_ids"]
        return [self._response(prompt, label, tokens, len(hf_tokenizer)) for _ in range(num_samples)]

    def _response(self, prompt: str, label: str, tokens: list[int], vocabulary: int) -> dict:
        length = int(os.environ.get(LENGTH, "512"))
        drawn = self.rng.randbytes(length)
        reward = float(self.rng.random() < pass_rate(prompt))
        return {
            "prompt": prompt,
            "label": label,
            "images": None,
            "mm_train_inputs": None,
            "observation_tokens": tokens + [2 + byte % (vocabulary - 2) for byte in drawn],
            "action_ranges": [(len(tokens), len(tokens) + length)],
            "rollout_log_probs": [0.0] * len(tokens) + [-byte / 70 for byte in drawn],
            "truncated": False,
            "reward": reward,
            "scores": reward,
            "extra_logs": {},
        }


def create_engines(num_engines: int, tensor_parallel_size: int, pretrain: str, seed: int, *args, **kwargs) -> list:
    """In place of the host's `create_vllm_engines`."""
    made = ray.remote(num_cpus=0, max_concurrency=4)(SimulatedEngine)
    return [made.remote(seed + i) for i in range(num_engines)]


def main() -> int:
    from openrlhf.trainer import ray as host

    from openrlhf_unlearn.host import launcher

    host.create_vllm_engines = create_engines
    return launcher.main()


if __name__ == "__main__":
    sys.exit(main())
