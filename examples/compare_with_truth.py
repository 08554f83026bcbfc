"""How well the groups found agree with the built-in world's planted truth.

    python examples/compare_with_truth.py quickstart/world/truth.parquet quickstart/run

Prints found against planted groups, then precision (of those found, how many were planted so) and recall (of those
planted, how many were found) of `learnable` and `unlearnable`. Classify several runs first to judge their agreement:
`openrlhf-unlearn classify RUN RUN RUN` writes into the first.
"""

import argparse
from collections import Counter
from pathlib import Path

from openrlhf_unlearn.microworld.task import GROUPS as PLANTED
from openrlhf_unlearn.run_dir import GROUPS, RunDir, read_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("truth", type=Path, help="truth.parquet beside the world's data")
    parser.add_argument("run", type=Path, help="a classified run directory")
    args = parser.parse_args()

    planted = _groups(args.truth)
    found = _groups(RunDir.open(args.run).learnability)
    counts = Counter((group, found.get(prompt, "not seen")) for prompt, group in planted.items())
    columns = [group for group in (*GROUPS, "not seen") if any(counts[row, group] for row in PLANTED)]

    print(f"{'planted / found':<16}" + "".join(f"{column:>13}" for column in columns))
    for row in PLANTED:
        print(f"{row:<16}" + "".join(f"{counts[row, column]:>13}" for column in columns))
    for group in ("learnable", "unlearnable"):
        agreed = counts[group, group]
        claimed = sum(counts[row, group] for row in PLANTED)
        true = sum(planted[prompt] == group for prompt in planted)
        precision = f"{agreed / claimed:.2f}" if claimed else "-"
        print(
            f"{group}: precision {precision} ({agreed} of {claimed}), recall {agreed / true:.2f} ({agreed} of {true})"
        )
    wrong = sum(n for (row, column), n in counts.items() if column not in (row, "mixed", "not seen"))
    print(f"in a wrong group: {wrong} of {len(planted)} prompts ({wrong / len(planted):.1%}); `mixed` is not wrong")


def _groups(path: Path) -> dict[str, str]:
    table = read_table(path, columns=["prompt_id", "group"])
    return dict(zip(table["prompt_id"].to_pylist(), table["group"].to_pylist(), strict=True))


if __name__ == "__main__":
    main()
