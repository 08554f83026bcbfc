"""What it costs to save the sampler's state: size and seconds of a checkpoint, and of a step without one.

    python benchmarks/state.py [--rollouts 4096] [--tokens 5120]

A replay buffer of so many rollouts of so many tokens each, with log-probs, in a training of 36,000 prompts; 32 groups
of 8 wait. Before, the state was pickled at every step: that is measured too, on the same rollouts. `ratio` is what a
step without a checkpoint takes over what it took; `bar` allows a thousandth.
"""

import argparse
import json
import pickle
import resource
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.filters import FilterConfig, Rollout, load_filter
from openrlhf_unlearn.filters.forgetting import Forgetting
from openrlhf_unlearn.host.training.checkpoint import StateFiles
from openrlhf_unlearn.host.training.generator import ResumableLoader
from openrlhf_unlearn.host.training.packing import HeldGroup, packer

PROMPTS, K, WAITING, PROMPT_TOKENS = 36_000, 8, 32, 200
BAR = 1e-3


def rollout(rng: np.random.Generator, tokens: int):
    ids = rng.integers(150_000, size=tokens).tolist()
    response = {
        "prompt": "p", "label": "l", "reward": 1.0, "scores": 1.0, "truncated": False, "extra_logs": {},
        "observation_tokens": ids, "action_ranges": [(PROMPT_TOKENS, tokens)],
        "rollout_log_probs": [-token / 1e5 for token in ids],
    }  # fmt: skip
    return SamplesGenerator._process_response_into_experience(None, response, max_len=10**6)


class Generator:
    """The generator's state, without engines."""

    def __init__(self, folder: Path, rollouts: int, tokens: int):
        rng = np.random.default_rng(0)
        self.step = 1
        self.args = SimpleNamespace(
            ckpt=SimpleNamespace(path=folder, save_steps=10, disable_ds=False),
            train=SimpleNamespace(async_enable=False),
            unlearn=SimpleNamespace(filter="oversample_replay", run_id="0" * 16),
        )
        config = FilterConfig(k=K, buffer_bytes=1e12, pack=packer(agent=False))
        self.filter = load_filter("oversample_replay", config)
        self.stream = SimpleNamespace(sampler=SimpleNamespace(state_dict=dict))
        names = [f"{number:016x}" for number in range(PROMPTS)]
        for name in names:
            self.filter.visits[name] = self.filter.dry[name] = 3
            self.filter.dryness.counts[name] = [1.5, 40.5]
        for number in range(rollouts):
            self.filter.buffer.add(names[number % PROMPTS], [Rollout(1.0, rollout(rng, tokens))], 0.5)
        made = [Rollout(0.0, rollout(rng, tokens)) for _ in range(K)]
        self.buffer = [HeldGroup(names[i], tuple(made)) for i in range(WAITING)]
        forgetting = Forgetting()
        forgetting.solved = set(names[::2])
        self.tracker = {"curve_of": dict.fromkeys(names, "hard"), "forgetting": forgetting.state_dict()}

    def state_dict(self) -> dict:
        return {"filter": self.filter.state_dict(), "buffer": self.buffer, "tracker": self.tracker, "step": self.step}

    def load_state_dict(self, state: dict) -> None:
        self.filter.load_state_dict(state["filter"])


def seconds(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def as_before(rollouts: int, tokens: int) -> tuple[float, int]:
    """Seconds and bytes of one step's pickle, as of the first version: whole experiences, into a tensor."""
    rng = np.random.default_rng(0)
    stored = {f"{number:016x}": [(Rollout(1.0, rollout(rng, tokens)), 0, 0)] for number in range(rollouts)}
    start = time.perf_counter()
    pickled = torch.frombuffer(bytearray(pickle.dumps(stored)), dtype=torch.uint8)
    return time.perf_counter() - start, len(pickled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rollouts", type=int, default=4096, help="in the replay buffer")
    parser.add_argument("--tokens", type=int, default=5120, help="of prompt and response")
    args = parser.parse_args()

    before, size_before = as_before(args.rollouts, args.tokens)
    with tempfile.TemporaryDirectory() as scratch:
        generator = Generator(Path(scratch), args.rollouts, args.tokens)
        loader = ResumableLoader(generator)
        first = seconds(loader.state_dict)  # which checks once that the filter can be saved
        plain = min(seconds(loader.state_dict) for _ in range(100))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        generator.step = 10
        write = seconds(loader.state_dict)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1e6
        (path,) = (Path(scratch) / "_unlearn").iterdir()
        size = path.stat().st_size
        files = StateFiles(scratch)
        (Path(scratch) / "_actor" / "global_step10").mkdir(parents=True)
        files.place("global_step10", {"file": path.name, "step": 10})
        read = seconds(lambda: files.read({"file": path.name, "run_id": None}))
    in_memory = generator.filter.buffer.nbytes
    print(f"{args.rollouts} rollouts of {args.tokens} tokens: {in_memory / 1e6:.0f} MB in memory")
    print(
        f"checkpoint: {size / 1e6:.0f} MB, written in {write:.2f} s, {grown:.2f} GB more memory, read in {read:.2f} s"
    )
    print(f"a step without a checkpoint: {1e6 * plain:.0f} us (the first one {first:.2f} s); before: {before:.2f} s")
    print(
        json.dumps(
            {
                "benchmark": "state",
                "ratio": float(f"{plain / before:.2g}"),
                "bar": BAR,
                "better": "lower",
                "rollouts": args.rollouts,
                "tokens": args.tokens,
                "memory_mb": round(in_memory / 1e6, 1),
                "file_mb": round(size / 1e6, 1),
                "pickled_mb_before": round(size_before / 1e6, 1),
                "write_s": round(write, 3),
                "read_s": round(read, 3),
                "step_us": round(1e6 * plain, 1),
                "step_s_before": round(before, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
