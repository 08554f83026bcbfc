"""What the plugin costs at scale: step time with replay over the stock trainer's, 5,000 prompts, 512-token rollouts.

    python benchmarks/step_scale.py [--steps 6] [--pairs 2]

Ray, DeepSpeed and the trainers are real; engines that answer at once stand in for vLLM (benchmarks/simulated.py), so
that nothing hides the trainer's own work. Stock trains every group of 8. The plugin samples 32 of each prompt, filters,
replays and tracks, with a replay buffer as full as after two visits to each of the 5,000 prompts. The two take turns
(A B B A …); the step time is the host's own `timing/step_total`, of which the first step of a run does not count.
`cpu_ratio` compares the CPU seconds a step of all processes but the engines: on a busy machine, whose wall times mean
little, it is the figure to read (`idle` says whether this one was).
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

N_PROMPTS, LENGTH, K, BATCH = 5_000, 512, 8, 32
BAR = 1.02
ENGINE = "SimulatedEngine"


def prompts(n: int = N_PROMPTS) -> list[tuple[str, str]]:
    """(prompt, label) of the data set."""
    return [(f"P{number:05d}=", str(number)) for number in range(n)]


def write_inputs(folder: Path, n_prompts: int = N_PROMPTS) -> None:
    """An untrained model that is small, and the prompts."""
    from openrlhf_unlearn.worlds.model import build_model
    from openrlhf_unlearn.worlds.tokenizer import build_tokenizer

    tokenizer = build_tokenizer()
    model = build_model(tokenizer, seed=0)
    model.config.max_position_embeddings = 2 * LENGTH
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    rows = ({"prompt": prompt, "label": label, "datasource": "simulated"} for prompt, label in prompts(n_prompts))
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


PREFILLED = '''
import random, sys
sys.path.insert(0, ROOT)
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
from openrlhf_unlearn.filters import Group, Rollout
from openrlhf_unlearn.filters.oversample_replay import OversampleReplayFilter
from openrlhf_unlearn.store.run_dir import prompt_id
from openrlhf_unlearn.host.training.packing import pack
from benchmarks.simulated import SimulatedEngine, pass_rate
from benchmarks.step_scale import K, prompts

class Prefilled(OversampleReplayFilter):
    """The replay buffer as after two visits to every prompt."""

    def __init__(self, config):
        super().__init__(config)
        rng, engine = random.Random(0), SimulatedEngine(0)
        for prompt, label in prompts() * 2:
            n = sum(rng.random() < pass_rate(prompt) for _ in range(self.total))
            rollouts = [Rollout(1.0)] * n + [Rollout(0.0)] * (self.total - n)
            if n:
                response = engine._response(prompt, label, list(range(2, 9)), 42)
                made = SamplesGenerator._process_response_into_experience(None, response, max_len=2048)
                rollouts[:n] = [Rollout(1.0, pack(made))] * n
            rng.shuffle(rollouts)
            self.decide(Group(prompt_id(prompt, label), tuple(rollouts)))
        print(f"replay buffer: {len(self.buffer)} rollouts, {self.buffer.nbytes / 1e6:.0f} MB", flush=True)
'''


def cpu_seconds(pid: int) -> Counter:
    """CPU seconds so far of all that a launch has started, by actor; the engines, which are no part of this, apart."""
    found: Counter = Counter()
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        with suppress(psutil.Error):
            title, times = " ".join(process.cmdline()).strip(), process.cpu_times()
            actor = title.removeprefix("ray::").partition(".")[0].partition(":")[0] if "ray::" in title else "others"
            found[actor] += times.user + times.system
    return found


def run(folder: Path, name: str, plugin: bool, steps: int) -> tuple[list[dict[str, float]], Counter]:
    """The host's timings of each step but the first, and the CPU seconds of all of these, by actor."""
    from tests.integration.stack import NO_REFERENCE, ROOT, Training, kill

    training = Training(folder, folder / name, plugin=plugin, data=folder / "train.jsonl")
    training.program = [str(ROOT / "benchmarks" / "simulated.py")]
    own = {"unlearn__filter": f"{folder / 'prefilled.py'}:Prefilled"} if plugin else {}
    process = training.start(
        data__max_len=2 * LENGTH,
        rollout__max_new_tokens=LENGTH,
        rollout__batch_size=BATCH,
        rollout__micro_batch_size=16,
        train__micro_batch_size=16,
        algo__advantage__is_correction_level="token",
        **NO_REFERENCE,
        **own,
    )
    before: Counter = Counter()
    try:
        while process.poll() is None and len(found := timings(training.text())) <= steps:
            if found and not before:
                before = cpu_seconds(process.pid)
            time.sleep(0.2)
        if process.poll() is not None:
            raise SystemExit(f"{name} ended early:\n{training.text()[-3000:]}")
        spent = cpu_seconds(process.pid)
    finally:
        kill(process)
    spent.subtract(before)
    return found[1:], spent


def timings(text: str) -> list[dict[str, float]]:
    statuses = re.findall(r"Global step \d+: ({.*?})", text, re.S)
    return [
        {key: float(value) for key, value in re.findall(r"'(timing/\w+|unlearn/\w+)': (-?[\d.e-]+)", status)}
        for status in statuses
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=6, help="steps of each run that count")
    parser.add_argument("--pairs", type=int, default=2, help="runs of each kind")
    args = parser.parse_args()

    found: dict[str, list[dict[str, float]]] = {"stock": [], "plugin": []}
    spent: dict[str, Counter] = {"stock": Counter(), "plugin": Counter()}
    load = os.getloadavg()[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_inputs(folder)
        (folder / "prefilled.py").write_text(PREFILLED.replace("ROOT", repr(str(Path(__file__).parents[1]))))
        for pair in range(args.pairs):
            for kind in ("stock", "plugin") if pair % 2 == 0 else ("plugin", "stock"):
                steps, seconds = run(folder, f"{kind}{pair}", kind == "plugin", args.steps)
                found[kind] += steps
                spent[kind].update(seconds)
                print(f"{kind}: {len(steps)} steps, median {median(steps, 'timing/step_total'):.2f} s", flush=True)
    parts = ("step_total", "generation", "make_experience", "ppo_train", "broadcast")
    medians = {
        kind: {part: round(median(steps, f"timing/{part}"), 3) for part in parts} for kind, steps in found.items()
    }
    cpu = {
        kind: {actor: round(seconds / len(found[kind]), 2) for actor, seconds in used.items()}
        for kind, used in spent.items()
    }
    stock, plugin = (sum(s for actor, s in cpu[kind].items() if actor != ENGINE) for kind in ("stock", "plugin"))
    print(
        json.dumps(
            {
                "benchmark": "step_scale",
                "ratio": round(medians["plugin"]["step_total"] / medians["stock"]["step_total"], 4),
                "bar": BAR,
                "better": "lower",
                "prompts": N_PROMPTS,
                "tokens": LENGTH,
                "rollouts_sampled": {"stock": BATCH * K, "plugin": median(found["plugin"], "unlearn/rollouts_sampled")},
                "replayed": sum(step.get("unlearn/replayed", 0) for step in found["plugin"]),
                "seconds": medians,
                "cpu_ratio": round(plugin / stock, 4),
                "cpu_seconds_a_step": cpu,
                "idle": load < 1,
            }
        )
    )


def median(steps: list[dict[str, float]], name: str) -> float:
    return statistics.median(step[name] for step in steps)


if __name__ == "__main__":
    main()
