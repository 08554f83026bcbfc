"""The transfer map against EleutherAI's bergson 2.5.1, which needs an environment of its own (probe_bergson.py).

    python benchmarks/transfer_bergson.py w0 w1 …      built-in worlds (openrlhf-unlearn microworld w0 --seed 0)

On each world the short trainings of benchmarks/transfer.py, and three predictions of them from the same rollouts: ours
(LoRA gradients, one for each prompt), and bergson's gradients of each rollout, projected to PROJECTED x PROJECTED a
linear module, the default of its index, as inner products and as cosines of a cluster's mean. `ratio`: the smallest of
the worlds' differences of r, ours less the better of its two; seconds are of CPU time for the gradients, gigabytes
the peak of a process that does nothing else.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.probe_bergson import VERSION
from benchmarks.transfer import checked_world, rollouts_of_world
from openrlhf_unlearn.transfer.accuracy import advantage, correlations

PROJECTED, BATCH = 16, 1024  # numbers a side of each module's gradient; tokens a batch


def ours(folder: Path, rollouts: list):
    """CPU seconds, peak gigabytes."""
    from transformers import AutoModelForCausalLM

    from openrlhf_unlearn.probe import lora, prompt_gradients

    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    prompt_gradients(model, rollouts[:8], lora(model))  # warm, the imports among it
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    started = time.process_time()
    prompt_gradients(model, rollouts, lora(model))
    return time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def theirs(folder: Path, rollouts: list):
    """(rollouts, numbers) projected gradients in the order of the rollouts, CPU seconds, peak gigabytes."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder / "model", attn_implementation="sdpa")
    model.requires_grad_(False)
    model.get_input_embeddings().requires_grad_(True)
    collected(model, rollouts[:2])
    started = time.process_time()
    found = collected(model, rollouts)
    return found, time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def collected(model, rollouts: list) -> np.ndarray:
    from bergson import GradientProcessor, IndexConfig, collect_gradients, load_gradients
    from bergson.data import allocate_batches
    from datasets import Dataset

    rows = [(prompt.prompt, response) for prompt in rollouts for response in prompt.responses["correct"]]
    data = Dataset.from_list(
        [{"input_ids": p + r, "labels": [-100] * len(p) + r, "length": len(p) + len(r)} for p, r in rows]
    )
    with tempfile.TemporaryDirectory() as folder:
        config = IndexConfig(run_path=f"{folder}/run", projection_dim=PROJECTED, token_batch_size=BATCH)
        config.partial_run_path.mkdir(parents=True, exist_ok=True)
        batches = allocate_batches(data["length"], BATCH)
        collect_gradients(model, data, GradientProcessor(projection_dim=PROJECTED), config, batches=batches)
        return np.array(load_gradients(config.partial_run_path), np.float32)


def predicted(gradients: np.ndarray, rollouts: list, letters: dict, checked, units: int) -> dict[str, np.ndarray]:
    """(trained, names) inner products and cosines of mean gradients, of the halves that `checked` trained and measured:
    all rollouts of prompts that train, and of measured prompts those that predict."""
    from openrlhf_unlearn.probe.engine.packing import deal
    from openrlhf_unlearn.transfer.verify import held_out, split

    known = {r.id for r in (held_out(prompt, units) for prompt in rollouts) if r.responses.get("measured")}
    train, measured = split({name: letter for name, letter in letters.items() if name in known}, 0)
    at, whole, odd = 0, {}, {}
    for prompt in rollouts:
        n = len(prompt.responses["correct"])
        own, at = gradients[at : at + n], at + n
        whole[prompt.id] = own.mean(0)
        half = [i for members in deal(n, units)[1::2] for i in members]
        odd[prompt.id] = own[half].mean(0) if half else own.mean(0)
    gives = np.stack([np.mean([whole[p] for p in train[name]], 0) for name in checked.trained])
    takes = np.stack([np.mean([odd[p] for p in measured[name]], 0) for name in checked.names])
    unit = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-30) for v in (gives, takes)]
    return {"inner product": (gives @ takes.T).astype(float), "cosine": (unit[0] @ unit[1].T).astype(float)}


def apart(function, *given):
    """In a process of its own, whose peak memory is then its own, too."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *given).result()


def main() -> None:
    from importlib.metadata import version

    if version("bergson") != VERSION:
        sys.exit(f"this needs bergson {VERSION}, not {version('bergson')}")
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("worlds", nargs="+", type=Path)
    least = []
    for folder in parser.parse_args().worlds:
        rollouts, letters, texts = rollouts_of_world(folder)
        _, checked, units = checked_world(folder, rollouts, letters, texts)
        seconds, peak = apart(ours, folder, rollouts)
        gradients, their_seconds, their_peak = apart(theirs, folder, rollouts)
        rows = np.array([checked.names.index(name) for name in checked.trained])
        mine = checked.predicted[checked.mine]
        found = predicted(gradients, rollouts, letters, checked, units)
        r = {"ours": mine, **found}
        shown = {name: list(correlations(matrix, checked.measured, rows)["all"].values()) for name, matrix in r.items()}
        ahead = {name: list(advantage(mine, matrix, checked.measured, rows).values()) for name, matrix in found.items()}
        least.append(min(gap[0] for gap in ahead.values()))
        line = {"of": str(folder), "r": shown, "ahead": ahead, "cpu_seconds": [seconds, their_seconds]}
        print(json.dumps({**line, "gigabytes": [peak, their_peak]}), flush=True)
    result = {"benchmark": "transfer_bergson", "ratio": min(least), "bar": 0.0, "better": "higher", "bergson": VERSION}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
