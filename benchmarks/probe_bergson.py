"""The gradient probe's speed against EleutherAI's bergson 2.5.1, which needs an environment of its own.

    python -m venv bergson && . bergson/bin/activate && pip install bergson==2.5.1 -e .
    python benchmarks/probe_bergson.py [--rounds 3] and the other flags of benchmarks/probe.py

Both take the gradient of each response's loss at the query and value projections of one frozen model, for the rollouts
of benchmarks/probe.py: bergson each rollout's, projected to 16 × 16 a module (its GradientCollector, set up as its own
worker does), ours each lot's at rank 16. bergson may choose the better of two batch sizes. Seconds as there.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BATCHES = {"cpu": (512, 1024), "cuda": (4096, 16384)}  # tokens of bergson's batches, by device
VERSION = "2.5.1"


def bergson(model, rollouts, token_batch: int) -> None:
    from bergson.collection import collect_gradients
    from bergson.config.config import IndexConfig
    from bergson.data import allocate_batches
    from bergson.gradients import GradientProcessor
    from datasets import Dataset

    model.set_attn_implementation("sdpa")
    model.requires_grad_(False)
    model.get_input_embeddings().requires_grad_(True)
    rows = [(prompt.prompt, response) for prompt in rollouts for response in prompt.responses["correct"]]
    data = Dataset.from_list(
        [{"input_ids": p + r, "labels": [-100] * len(p) + r, "length": len(p) + len(r)} for p, r in rows]
    )
    names = {n for n, _ in model.base_model.named_modules() if n.endswith(("q_proj", "v_proj"))}
    with tempfile.TemporaryDirectory() as folder:
        config = IndexConfig(run_path=f"{folder}/run", projection_dim=16, token_batch_size=token_batch)
        config.partial_run_path.mkdir(parents=True, exist_ok=True)
        batches = allocate_batches(data["length"], token_batch)
        collect_gradients(
            model, data, GradientProcessor(projection_dim=16), config, batches=batches, target_modules=names
        )


def main() -> None:
    from importlib.metadata import version

    from benchmarks.probe import arguments, build, ours, sample, timed

    if version("bergson") != VERSION:
        sys.exit(f"this needs bergson {VERSION}, not {version('bergson')}")
    args = arguments(__doc__)
    model, rollouts = build(args), sample(args)
    batches = BATCHES[args.device.partition(":")[0]]
    seconds: dict = {"ours": [], **{size: [] for size in batches}}
    for _ in range(args.rounds):
        seconds["ours"].append(timed(ours, model, rollouts, args)[0])
        for size in batches:
            seconds[size].append(timed(bergson, model, rollouts, size)[0])
        print({name: round(values[-1], 2) for name, values in seconds.items()}, flush=True)
    median = {str(name): round(statistics.median(values), 3) for name, values in seconds.items()}
    ratio = min(median[str(size)] for size in batches) / median["ours"]
    result = {"benchmark": "probe_bergson", "ratio": round(ratio, 2), "bar": 1.5, "better": "higher", "seconds": median}
    print(json.dumps({**result, "bergson": VERSION, "device": args.device}))


if __name__ == "__main__":
    main()
