"""How much of Algorithm 1's replay happens at the size of a real data set, under the bound on memory.

    python benchmarks/replay_scale.py [--passes 8] [--memory 4.0]

Three filters see the same simulated visits: `oversample_replay` with room for everything (what Algorithm 1 fills), with
`--unlearn.replay_memory`, and with the rule of the first version (4,096 rollouts of all prompts, oldest first). Of the
visits that the first fills by replay, the share that the others fill too. Pass rates are a mixture of easy, middling,
hard and never solved prompts; they rise by different speeds, wander, fall at once where a prompt is forgotten, and vary
more between visits than a binomial, none of which the buffer's model of a prompt knows. Every response is as long as
the paper allows, 5,120 tokens, with log-probs: 8 bytes a token. `ratio` is the share at 36,000 prompts.
"""

import argparse
import gc
import json
import math
import random
import sys
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.filters import FilterConfig, Group, Rollout
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from openrlhf_unlearn.filters.replay_buffer import ReplayBuffer

K, FACTOR = 8, 4
SIZES = (320, 5_000, 8_000, 36_000)
LONGEST = 5_120  # tokens of a response
BAR = 0.98
LESS_MEMORY = (2.0, 1.0, 0.5)


@dataclass(frozen=True)
class Payload:
    nbytes: int


POSITIVE, NEGATIVE = Rollout(1.0, Payload(8 * LONGEST + 1000)), Rollout(0.0)


class FirstVersion(ReplayBuffer):
    """At most 4,096 rollouts of all prompts; the oldest of all goes first, whoever needs it."""

    def __init__(self, config: FilterConfig):
        super().__init__(config.replay_limit, config.buffer_per_prompt, math.inf)
        self.line: deque[tuple[str, int]] = deque()  # all that was stored, oldest first; some is gone already
        self.size = 0

    def _drop(self, prompt_id, index):
        super()._drop(prompt_id, index)
        self.size -= 1

    def add(self, prompt_id, rollouts, chance=1.0):
        self.line += [(prompt_id, self._next_age + i) for i in range(len(rollouts))]
        self.size += len(rollouts)
        super().add(prompt_id, rollouts)
        while self.size > 4096:
            name, age = self.line.popleft()
            if self._stored.get(name) and self._stored[name][0].age == age:
                self._drop(name, 0)
                self._weigh(name)


class Prompt:
    """One prompt's pass rate over its visits."""

    def __init__(self, rng: random.Random, number: int):
        self.id = f"{number:016x}"
        kind = rng.random()
        if kind < 0.35:
            rate = rng.betavariate(6, 2)
        elif kind < 0.6:
            rate = rng.betavariate(1.2, 6)
        elif kind < 0.9:
            rate = 0.002 * 50 ** rng.random()
        else:
            rate = 0.0
        self.logit = math.log(rate / (1 - rate)) if 0 < rate < 1 else -40.0
        self.speed = max(0.0, rng.gauss(0.3, 0.4))  # of learning, in log-odds a pass

    def visit(self, rng: random.Random) -> Group:
        if rng.random() < 0.02:
            self.logit -= 4.0  # forgotten
        rate = 1 / (1 + math.exp(-self.logit - rng.gauss(0.0, 0.5)))
        self.logit += rng.gauss(self.speed, 0.3)
        positives = sum(rng.random() < rate for _ in range(K * FACTOR)) if rate > 1e-9 else 0
        rollouts = [POSITIVE] * positives + [NEGATIVE] * (K * FACTOR - positives)
        rng.shuffle(rollouts)
        return Group(self.id, tuple(rollouts))


def simulate(n_prompts: int, passes: int, filters: dict[str, OversampleReplayFilter]) -> dict:
    """Every filter sees the same visits; of those that the filter `all` fills by replay, how many each one fills."""
    rng = random.Random(n_prompts)
    prompts = [Prompt(rng, number) for number in range(n_prompts)]
    filled, most, seconds = dict.fromkeys(filters, 0), dict.fromkeys(filters, 0), dict.fromkeys(filters, 0.0)
    for _ in tqdm(range(passes), desc=f"{n_prompts:,} prompts", unit="pass"):
        rng.shuffle(prompts)
        for prompt in prompts:
            group = prompt.visit(rng)
            wanted = None
            for name, mine in filters.items():
                start = time.perf_counter()
                decision = mine.decide(group)
                seconds[name] += time.perf_counter() - start
                most[name] = max(most[name], mine.buffer.nbytes)
                wanted = decision.n_replayed > 0 if wanted is None else wanted
                filled[name] += wanted and decision.accepted
    visits = n_prompts * passes
    return {
        name: {
            "filled": round(filled[name] / filled["all"], 4),
            "of": filled["all"],
            "gigabytes": round(most[name] / 1e9, 3),
            "microseconds": round(1e6 * seconds[name] / visits),
        }
        for name in filters
    }


def filters(memory: float, less: tuple[float, ...]) -> dict[str, OversampleReplayFilter]:
    """By name; `all` first, because it says which visits count."""
    config = FilterConfig(k=K, oversample_factor=FACTOR)
    bounded = {f"{size:g} GB": OversampleReplayFilter(replace(config, buffer_bytes=size * 1e9)) for size in less}
    first = OversampleReplayFilter(config)
    first.buffer = FirstVersion(config)
    return {
        "all": OversampleReplayFilter(replace(config, buffer_bytes=math.inf, buffer_per_prompt=10**9)),
        "now": OversampleReplayFilter(replace(config, buffer_bytes=memory * 1e9)),
        "first version": first,
        **bounded,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--passes", type=int, default=8, help="visits to each prompt")
    parser.add_argument("--memory", type=float, default=4.0, help="--unlearn.replay_memory, in GB")
    args = parser.parse_args()

    gc.disable()  # there are no cycles here, and looking for them among millions of objects takes most of the time
    found = {}
    for size in SIZES:
        found[size] = simulate(size, args.passes, filters(args.memory, LESS_MEMORY if size == SIZES[-1] else ()))
        for name, values in found[size].items():
            print(
                f"{size:6,} prompts, {name:13}: {values['filled']:.4f} of {values['of']:,} visits filled, at most "
                f"{values['gigabytes']:.3f} GB, {values['microseconds']} us a decision",
                flush=True,
            )
    print(
        json.dumps(
            {
                "benchmark": "replay_scale",
                "ratio": found[SIZES[-1]]["now"]["filled"],
                "bar": BAR,
                "better": "higher",
                "memory_gb": args.memory,
                "prompts": {str(size): values for size, values in found.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
