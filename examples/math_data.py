"""MATH as OpenRLHF's JSONL: prompt, label, level.

    python examples/math_data.py --levels 1 2 3 4 --out math_levels_1_to_4.jsonl

Fetched by `datasets` from the hub, or from any data set or local file with the columns `problem`, `solution` and
`level`. The label is what stands in the solution's last \\boxed{}; a problem without one is left out and counted.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.grading.extract import boxed_answer
from openrlhf_unlearn.store.run_dir import atomic_path

ASK = "\n\nReason step by step and put the final answer in \\boxed{}."


def read_problems(source: str, split: str):
    """Rows of a local JSON, JSONL, CSV or Parquet file or of a hub data set. Raises UserError."""
    from datasets import load_dataset

    suffix = Path(source).suffix.removeprefix(".")
    try:
        if suffix in ("json", "jsonl", "csv", "parquet"):
            return load_dataset("json" if suffix == "jsonl" else suffix, data_files=source, split="train")
        return load_dataset(source, split=split)
    except Exception as error:  # the hub's errors share no class
        reason = str(error).splitlines()[0]
        raise UserError(f"--data {source}: {reason}; give a local file with problem, solution and level") from error


def rows_of(problems, levels: set[int]) -> tuple[list[dict], int]:
    """The rows to write, and how many had no boxed answer."""
    missing = {"problem", "solution", "level"} - set(problems.column_names)
    if missing:
        raise UserError(f"the data has no column {', '.join(sorted(missing))}; it has {problems.column_names}")
    rows, without = [], 0
    for problem in problems:
        digits = "".join(c for c in str(problem["level"]) if c.isdigit())  # "Level 3", also "Level ?"
        if not digits or int(digits) not in levels:
            continue
        label = boxed_answer(problem["solution"])
        if label is None:
            without += 1
            continue
        rows.append({"prompt": problem["problem"] + ASK, "label": label, "level": int(digits)})
    return rows, without


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 2, 3, 4], help="levels to keep, of 1 to 5")
    parser.add_argument("--data", default="DigitalLearningGmbH/MATH-lighteval", help="hub data set or local file")
    parser.add_argument("--split", default="train")
    parser.add_argument("--at-most", type=int, metavar="N", help="keep N of them, the same ones every time")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        rows, without = rows_of(read_problems(args.data, args.split), set(args.levels))
        if not rows:
            raise UserError(f"no problem of level {args.levels} with a boxed answer in {args.data}")
        if args.at_most is not None and args.at_most < len(rows):
            rows = random.Random(0).sample(rows, args.at_most)
        with atomic_path(args.out) as aside:
            aside.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    except UserError as error:
        print(f"math_data: {error}", file=sys.stderr)
        return 1
    print(f"{args.out}: {len(rows)} problems; {without} without a boxed answer left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
