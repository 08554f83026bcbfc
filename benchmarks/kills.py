"""kill -9 at random moments of training, then resume: is a row missing or twice, is the buffer that of the checkpoint?

    python benchmarks/kills.py FOLDER [--kills 50] [--within 15] [--minutes 600]

Synchronous and asynchronous, replay and dynamic filter in turn. A training is killed with everything that it started
and launched again from its checkpoint, until it ends. Four kills of five come at a moment drawn evenly from the
`--within` seconds after the launch has sampled its first step, when there is something to lose; the fifth from those
after it has begun to load its checkpoint. After each kill the state that a resume would load is compared with a filter
made again from the saved rollouts: visits, replay buffer with ages and uses, waiting groups. After each end: every
prompt once an episode, every step's rows once, every group whole. Engines that answer at once stand in for vLLM, which
keeps nothing that a checkpoint needs. FOLDER keeps what was done: the same command goes on where it stopped, and may be
stopped at will (`--minutes`). `ratio` is the share of kills after which all of that held.
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.filters import FilterConfig

K, FACTOR, BATCH, EPISODES, N_PROMPTS = 4, 4, 16, 6, 96
VARIANTS = [(mode, name) for mode in ("sync", "async") for name in ("oversample_replay", "dynamic")]
CONFIG = FilterConfig(k=K, seed=42, oversample_factor=FACTOR)


def training_of(folder: Path, world: Path, mode: str, name: str):
    """A training in `folder`, and its flags."""
    from tests.integration.stack import NO_REFERENCE, ROOT, Training

    training = Training(world, folder)
    training.program = [str(ROOT / "benchmarks" / "simulated.py")]
    flags = {
        "rollout__n_samples_per_prompt": K,
        "rollout__batch_size": BATCH,
        "rollout__micro_batch_size": 64,
        "train__batch_size": 32,
        "train__micro_batch_size": 32,
        "train__num_episodes": EPISODES,
        "train__async_enable": mode == "async",
        "ckpt__save_steps": 2,
        "ckpt__load_enable": True,
        "unlearn__filter": name,
        "unlearn__oversample_factor": FACTOR,
        "unlearn__save_rollouts": K * FACTOR,
        **NO_REFERENCE,
    }
    return training, flags


def check_killed(training, name: str) -> dict:
    """AssertionError unless the checkpoint's state is that of a run never killed."""
    from transformers import AutoTokenizer

    from tests.integration.history import never_killed, resumed_state, stored, text_of

    step, state = resumed_state(training)
    if state is None:
        return {"checkpoint": 0}
    expected, accepted = never_killed(training, step, CONFIG, name)
    trained = [row["prompt_id"] for row in training.rows(processed=True) if row["step"] <= step]
    waiting = [group.prompt_id for group in state["buffer"]]
    assert state["step"] == step, "the state is of another step"
    assert trained + waiting == [prompt_id for prompt_id, _ in accepted], "an accepted group is missing or twice"
    if name == "oversample_replay":
        tokenizer = AutoTokenizer.from_pretrained(training.flags["actor.model_name_or_path"])
        found = stored(state["filter"], lambda packed: text_of(packed, tokenizer))
        assert found == stored(expected, str), "the replay buffer is another"
        assert all(state["filter"][part] == expected[part] for part in ("visits", "dry", "dryness"))
    return {"checkpoint": step}


def killed_launch(training, flags: dict, name: str, seconds: float, training_first: bool) -> dict:
    """Launch, kill `seconds` after it trains, or loads, unless it has ended by then; `error`: what did not hold."""
    from tests.integration.stack import kill

    launched = time.time()
    process = training.start(**flags)

    def begun() -> bool:
        if not training_first and "Loading the checkpoint" in training.text():
            return True
        with suppress(FileNotFoundError):  # a resume drops those after its checkpoint
            files = [training.run.step_file("rewards", step) for step in training.run.steps()]
            return any(file.stat().st_mtime > launched for file in files)
        return False

    end = float("inf")
    while process.poll() is None and time.monotonic() < end:
        if end == float("inf") and begun():
            end = time.monotonic() + seconds
        time.sleep(0.05)
    if process.poll() is not None:
        return {"killed": False, "ended": True, **wrong(lambda: check_ended(training, process.returncode))}
    steps = training.text().count("Global step")
    kill(process)
    return {"killed": True, "steps_since_launch": steps, **wrong(lambda: check_killed(training, name))}


def last_launch(training, flags: dict) -> dict:
    process = training.start(**flags)
    return {"killed": False, "ended": True, **wrong(lambda: check_ended(training, process.wait()))}


def check_ended(training, code: int) -> dict:
    from tests.integration.stack import check_run

    assert code == 0, f"exit code {code}: {training.text()[-2000:]}"
    check_run(training, k=K, batch=BATCH, episodes=EPISODES)
    return {"steps": len(training.run.steps("clipping"))}


def wrong(check) -> dict:
    try:
        return check()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[-3000:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="keeps the trainings and the journal; goes on where it stopped")
    parser.add_argument("--kills", type=int, default=50, help="in all, those of earlier calls included")
    parser.add_argument("--within", type=float, default=15, help="seconds from which the moment of a kill is drawn")
    parser.add_argument("--minutes", type=float, default=600, help="start nothing more after this time")
    args = parser.parse_args()
    os.environ["SIMULATED_LENGTH"] = "16"

    world = args.folder / "world"
    if not (world / "train.jsonl").exists():
        from benchmarks.step_scale import write_inputs

        shutil.rmtree(world, ignore_errors=True)
        world.mkdir(parents=True)
        write_inputs(world, N_PROMPTS)
    journal = args.folder / "kills.jsonl"
    done = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def record(entry: dict) -> None:
        done.append(entry)
        with journal.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print(f"{sum(e['killed'] for e in done)} of {args.kills} kills: {entry}", flush=True)

    def run_of(variant: tuple[str, str]) -> str:
        """The folder of the variant's training; a new one after each that ended."""
        label = "-".join(variant)
        return f"{label}-{sum(e.get('ended', False) for e in done if e['run'].startswith(label))}"

    stop = time.monotonic() + 60 * args.minutes
    while (n := sum(entry["killed"] for entry in done)) < args.kills and time.monotonic() < stop:
        variant = VARIANTS[n % len(VARIANTS)]
        run = run_of(variant)
        moment = random.Random(len(done)).uniform(0, args.within)
        training, flags = training_of(args.folder / run, world, *variant)
        record({"run": run, **killed_launch(training, flags, variant[1], moment, training_first=n % 5 != 4)})
    for variant in VARIANTS:
        if any(entry["run"] == run_of(variant) for entry in done) and time.monotonic() < stop:
            run = run_of(variant)
            record({"run": run, **last_launch(*training_of(args.folder / run, world, *variant))})

    kills = [entry for entry in done if entry["killed"]]
    bad = [entry for entry in done if "error" in entry]
    print(
        json.dumps(
            {
                "benchmark": "kills",
                "ratio": round(1 - len(bad) / max(1, len(kills)), 4),
                "bar": 1.0,
                "better": "higher",
                "kills": len(kills),
                "runs_to_the_end": sum(entry.get("ended", False) for entry in done),
                "with_a_checkpoint": sum(entry.get("checkpoint", 0) > 0 for entry in kills),
                "before_the_first_step_of_the_launch": sum(not entry.get("steps_since_launch") for entry in kills),
                "by_variant": Counter(entry["run"].rpartition("-")[0] for entry in kills),
                "wrong": bad,
            }
        )
    )


if __name__ == "__main__":
    main()
