"""Which families of tasks examples/real.sh trains on, and on which of their prompts.

    python examples/real_families.py screen FOLDER --screened 10
    python examples/real_families.py choose FOLDER --screened 10 --keep 8 --size 24

FOLDER/questions.jsonl has one draw of each family. `screen` writes the first of each to FOLDER/screen.jsonl. `choose`
reads their evaluation `initial` of the run FOLDER/screen: families are sorted by their mean pass rate, and of these
as many are kept as wanted, evenly spaced, first and last among them. So what the model can do, can hardly do and
never does all occur, whatever the model. Families that it solves more than four times in five are left out first:
nothing is left to learn in them. The names go to families.txt, the next prompts of each to train.jsonl, the rest to
held_out.jsonl.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from openrlhf_unlearn.grading.data_check import rows_of
from openrlhf_unlearn.labels.counts import rates_by_prompt
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, write_jsonl

SOLVED = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("step", choices=("screen", "choose"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--screened", type=int, default=10, help="prompts of each family that choose among families")
    parser.add_argument("--keep", type=int, default=8, help="families")
    parser.add_argument("--size", type=int, default=24, help="prompts of each family to train on")
    args = parser.parse_args()
    folder = args.folder
    questions = [row for _, row in rows_of(folder / "questions.jsonl")]
    first, middle, last = parts(questions, args.screened, args.size)
    if args.step == "screen":
        write_jsonl(folder / "screen.jsonl", first)
        return
    rates = family_rates(RunDir.open(folder / "screen"))
    for name, rate in sorted(rates.items(), key=lambda item: item[1]):
        print(f"{name:<12} {rate:.3f}", file=sys.stderr)
    names = evenly(rates, args.keep)
    if not names:
        raise SystemExit(f"all {len(rates)} families are solved above {SOLVED}; real.sh needs harder CANDIDATES")
    (folder / "families.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    write_jsonl(folder / "held_out.jsonl", [row for row in last if row["datasource"] in names])
    write_jsonl(folder / "train.jsonl", [row for row in middle if row["datasource"] in names])


def parts(rows: list[dict], screened: int, size: int) -> tuple[list[dict], list[dict], list[dict]]:
    """The rows in three: of each family the first `screened`, the next `size`, and the rest."""
    places: dict[str, int] = defaultdict(int)
    found: tuple[list[dict], list[dict], list[dict]] = ([], [], [])
    for row in rows:
        place = places[row["datasource"]]
        places[row["datasource"]] += 1
        found[(place >= screened) + (place >= screened + size)].append(row)
    return found


def family_rates(run: RunDir) -> dict[str, float]:
    """By datasource, the share of correct answers in the evaluation `initial`."""
    prompt, found = Prompts.read(run).by_prompt(), defaultdict(list)
    for name, rate in rates_by_prompt(run, "initial").items():
        found[prompt[name].datasource].append(rate)
    return {family: float(np.mean(rates)) for family, rates in found.items()}


def evenly(rates: dict[str, float], keep: int) -> list[str]:
    """`keep` names, evenly spaced in the order of their rates; all that are not solved, if there are no more."""
    names = sorted((name for name in rates if rates[name] <= SOLVED), key=lambda name: (rates[name], name))
    places = np.linspace(0, len(names) - 1, min(keep, len(names)))
    return [names[round(place)] for place in places]


if __name__ == "__main__":
    main()
