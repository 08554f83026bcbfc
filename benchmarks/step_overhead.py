"""What the plugin costs: median step time with `--unlearn.filter dynamic` over stock dynamic filtering.

    python benchmarks/step_overhead.py [--steps 40] [--pairs 2]

Stock `--algo.dynamic_filtering_enable` and the plugin train on the built-in world with the same seed and data, in turn
(A B B A …), the tracker, the clip counts and the grader's bookkeeping included. Both read one plain reward function.
The step time is the host's own `timing/step_total`; the first two steps of a run warm up and do not count, nor does one
that trained less than a whole batch (stock, where an episode ends) or a batch of which part was sampled before (ours,
after that). A step samples as many prompts as its rejections ask for, so the time a sampled prompt is compared too.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

REWARD = """
import re, torch
def reward_func(queries, prompts, labels):
    found = [re.search(r"boxed.(.*).<eos>$", query[len(prompt):]) for query, prompt in zip(queries, prompts)]
    rewards = torch.tensor([float(bool(m) and m[1] == label) for m, label in zip(found, labels)])
    return {"rewards": rewards, "scores": rewards, "extra_logs": {}}
"""
WARM_UP = 2
PROMPTS, K = 32, 8  # a whole batch, as tests/integration/stack.py asks for


@dataclass(frozen=True)
class Step:
    """One whole step: its seconds, of which sampling, and the prompts that were sampled for it."""

    seconds: float
    sampling: float
    prompts: float

    @property
    def per_prompt(self) -> float:
        return self.seconds / self.prompts

    @property
    def rest(self) -> float:
        return self.seconds - self.sampling


MEASURES = ("seconds", "sampling", "per_prompt", "rest")


def median(steps: list[Step], name: str) -> float:
    return statistics.median(getattr(step, name) for step in steps)


def whole_steps(text: str) -> list[Step]:
    """The steps of a log that sampled and trained a whole batch, without the warm-up."""
    steps = []
    for trained, status in re.findall(r"experience making with (\d+) samples.*?Global step \d+: ({.*?})", text, re.S):
        value = {name: float(number) for name, number in re.findall(r"'([^']+)': (-?[\d.e-]+)", status)}
        if "unlearn/rollouts_sampled" in value:
            prompts = value["unlearn/rollouts_sampled"] / K
            accepted = prompts * value["unlearn/pass_rate"]
        else:  # the host's rate is of rollouts accepted to prompts sampled, in per cent
            prompts = 100 * int(trained) / value["dynamic_filtering_pass_rate"]
            accepted = int(trained) / K
        whole = int(trained) == PROMPTS * K and accepted > PROMPTS - 0.5
        steps.append(Step(value["timing/step_total"], value["timing/generation"], prompts) if whole else None)
    return [step for step in steps[WARM_UP:] if step]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=40, help="steps of each run, roughly")
    parser.add_argument("--pairs", type=int, default=2, help="runs of each kind")
    args = parser.parse_args()

    from openrlhf_unlearn import cli
    from tests.integration.stack import Training

    steps: dict[str, list[Step]] = {"stock": [], "plugin": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cli.main(["microworld", str(folder / "world"), "--seed", "0"])
        (folder / "reward.py").write_text(REWARD)
        episodes = max(1, round(args.steps / 4.5))  # an episode of 320 prompts fills four to five steps of 32 groups
        for pair in range(args.pairs):
            for kind in ("stock", "plugin") if pair % 2 == 0 else ("plugin", "stock"):
                training = Training(folder / "world", folder / f"{kind}{pair}", plugin=kind == "plugin")
                text = training(
                    timeout=3000,
                    reward__remote_url=folder / "reward.py",
                    train__num_episodes=episodes,
                    **({} if kind == "plugin" else {"algo__dynamic_filtering_enable": True}),
                )
                found = whole_steps(text)
                steps[kind] += found
                print(f"{kind}: {len(found)} whole steps, median {median(found, 'seconds'):.2f} s", flush=True)
    ratios = {name: round(median(steps["plugin"], name) / median(steps["stock"], name), 3) for name in MEASURES}
    print(
        json.dumps(
            {
                "benchmark": "step_overhead",
                "ratio": ratios["seconds"],
                "bar": 1.02,
                "better": "lower",
                "ratio_per_sampled_prompt": ratios["per_prompt"],
                "ratio_without_sampling": ratios["rest"],
                "steps": {kind: len(values) for kind, values in steps.items()},
                "median": {
                    kind: {name: round(median(values, name), 4) for name in (*MEASURES, "prompts")}
                    for kind, values in steps.items()
                },
            }
        )
    )


if __name__ == "__main__":
    main()
