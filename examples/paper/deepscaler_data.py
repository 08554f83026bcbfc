"""DeepScaleR's problems as OpenRLHF's JSONL: prompt, label.

python examples/paper/deepscaler_data.py --out deepscaler.jsonl
"""

import argparse
import json
from pathlib import Path

from openrlhf_unlearn.store.run_dir import atomic_path

ASK = "\n\nReason step by step and put the final answer in \\boxed{}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", default="agentica-org/DeepScaleR-Preview-Dataset", help="with problem and answer")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    from datasets import load_dataset

    rows = load_dataset(args.data, split="train")
    with atomic_path(args.out) as aside, aside.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps({"prompt": row["problem"] + ASK, "label": str(row["answer"])}) + "\n")
    print(f"{args.out}: {len(rows)} problems")


if __name__ == "__main__":
    main()
