"""Writes the demo's recording from made-up numbers. It is for as long as no quickstart was recorded in its place
(openrlhf_unlearn/demo/recording.py says how), and the demo says that no model was trained:

    python -m tests.demo_run
"""

import tempfile
from pathlib import Path

from openrlhf_unlearn.demo import RECORDING
from openrlhf_unlearn.demo.recording import pack
from openrlhf_unlearn.store.run_dir import RunDir
from tests.report import worlds


def made_up(folder: Path) -> RunDir:
    """160 sums in four groups, 30 steps; every draw is seeded."""

    def response(prompt, sample, right):
        value = int(prompt.label) + (0 if right else 1 + sample % 3)
        return rf"{prompt.text.removeprefix('What is ').removesuffix('?')} is \boxed{{{value}}}."

    made = worlds.prompts(40)
    run = worlds.start(folder, made, model="made-up", data="made-up")
    worlds.train(run, made, 30, likelihood=True)
    worlds.evaluate(run, made, "initial", seed=1000, response=response)
    worlds.evaluate(run, made, "final", response=response)
    worlds.probe(run, made, "initial")
    return run


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        pack(made_up(Path(folder) / "run"), RECORDING, "a made-up run, no model was trained")
    print(f"{RECORDING}: {RECORDING.stat().st_size / 1e6:.2f} MB")
