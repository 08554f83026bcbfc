"""How well the groups found agree with the built-in world's planted truth.

    python examples/compare_with_truth.py quickstart/world/truth.parquet quickstart/run

Prints found against planted groups, then precision (of those found, how many were planted so) and recall (of those
planted, how many were found) of `learnable` and `unlearnable`. Classify several runs first to judge their agreement:
`openrlhf-unlearn classify RUN RUN RUN` writes into the first.
"""

import argparse
from pathlib import Path

from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.worlds.agreement import agreement


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("truth", type=Path, help="truth.parquet beside the world's data")
    parser.add_argument("run", type=Path, help="a classified run directory")
    args = parser.parse_args()
    print("\n".join(agreement(args.truth, RunDir.open(args.run).learnability).lines()))


if __name__ == "__main__":
    main()
