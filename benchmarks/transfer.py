"""The transfer map: seconds and memory at 10,000 prompts, and on a finished run predicted against measured change.

    python benchmarks/transfer.py                              10,000 prompts x 4,096 numbers, generated
    python benchmarks/transfer.py --run RUN [--verify 8]       a run with a probe: r of prediction and short trainings
    python benchmarks/transfer.py --run RUN RUN … --verify 8   several worlds or seeds, one line each and the worst

The last line is one JSON object. Without --run its ratio is seconds over the bar of 60 s; peak_gigabytes has a bar of
4. With --run it is the smallest r over the runs, with a bar of 0.8, and `baselines` has each baseline's r.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from anywhere, without an installation

SECONDS, GIGABYTES, R = 60.0, 4.0, 0.8


def scale(prompts: int, dim: int, kinds: int, units: int = 4) -> dict:
    """Seconds and peak memory of reading the sketches from a file as the verb does, and of both its maps."""
    from openrlhf_unlearn.probe.store import Rows
    from openrlhf_unlearn.probe.summary import Gradients
    from openrlhf_unlearn.transfer.predict import transfer_map
    from openrlhf_unlearn.transfer.vectors import means

    rng = np.random.default_rng(0)
    centres = rng.standard_normal((kinds, dim), dtype=np.float32)
    with tempfile.NamedTemporaryFile() as file:
        for i in range(prompts):  # written row by row: the file is larger than what the map may use
            (centres[i % kinds] + 3 * rng.standard_normal((units, dim), dtype=np.float32)).tofile(file)
        file.flush()
        shape = [prompts, units, dim]
        sketches = Rows(file.name, 0, {"dtype": "F32", "shape": shape, "data_offsets": [0, prompts * units * dim * 4]})
        counts = np.ones((prompts, units), np.int32)
        empty = np.zeros((prompts, units))
        gradients = Gradients([str(i) for i in range(prompts)], sketches, counts, empty, empty, sketches, counts.sum(1))
        clusters = [f"kind {i % kinds}" for i in range(prompts)]
        started = time.perf_counter()
        vectors = means(gradients, exact=False)
        found = transfer_map(vectors, vectors, clusters)
        transfer_map(vectors, vectors * rng.random((prompts, 1), dtype=np.float32), clusters)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    own = float(np.diag(found.told).mean())
    return {
        "ratio": round(seconds / SECONDS, 3), "bar": 1.0, "better": "lower", "prompts": prompts, "dim": dim,
        "clusters": kinds, "seconds": round(seconds, 1), "peak_gigabytes": round(peak, 2),
        "peak_gigabytes_bar": GIGABYTES, "own_entries_told": own,
    }  # fmt: skip


def measured(runs: list[str], flags: list[str]) -> dict:
    """Smallest r of prediction and short trainings over the runs, by the verb itself."""
    from openrlhf_unlearn.store.run_dir import RunDir, read_json
    from openrlhf_unlearn.transfer.command import default_probe

    found = []
    for run in runs:
        subprocess.run([sys.executable, "-m", "openrlhf_unlearn.cli", "transfer", run, *flags], check=True)
        result = read_json(RunDir(run).transfer_json(default_probe(RunDir(run))))
        r = {name: value["all"]["value"] for name, value in result["agreement"].items()}
        between = {name: value["between"]["value"] for name, value in result["agreement"].items()}
        found.append({"run": run, "r": r, "between": between, "advantage": result["advantage"]})
        print(json.dumps(found[-1]), flush=True)
    mine = [each["r"]["gradient"] for each in found]
    names = [name for name in found[0]["r"] if name != "gradient"]
    return {
        "ratio": round(min(mine), 3), "bar": R, "better": "higher", "r": [round(value, 3) for value in mine],
        "baselines": {name: [each["r"][name] and round(each["r"][name], 3) for each in found] for name in names},
        "between": [each["between"]["gradient"] for each in found],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--prompts", type=int, default=10_000)
    add("--dim", type=int, default=4096)
    add("--clusters", type=int, default=24)
    add("--run", nargs="+", help="run directories with a probe")
    args, flags = parser.parse_known_args()
    result = measured(args.run, flags) if args.run else scale(args.prompts, args.dim, args.clusters)
    print(json.dumps({"benchmark": "transfer", **result}))


if __name__ == "__main__":
    main()
