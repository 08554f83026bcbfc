"""Some prompts of each group, as rows of the run's own data set: the few whose gradients deserve many samples.

    python examples/paper/probe_prompts.py RUN --per-group 100 --out probed.jsonl

The same seed chooses the same prompts. Easy, learnable and unlearnable ones only: the others have no correct rollout,
or no one label.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from openrlhf_unlearn.errors import UserError, command
from openrlhf_unlearn.evaluation.prompts import identified_rows
from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import RunDir, atomic_path

GROUPS = ("easy", "learnable", "unlearnable")


def chosen(groups: dict[str, str], per_group: int, seed: int) -> set[str]:
    """`groups`: prompt id → group. At most `per_group` ids of each of GROUPS."""
    rng, found = random.Random(seed), set()
    for group in GROUPS:
        members = sorted(name for name, its in groups.items() if its == group)
        found.update(rng.sample(members, min(per_group, len(members))))
    return found


NO_DATA = "take a run of OpenRLHF, whose run.json does"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", metavar="RUN", help="a classified run directory")
    parser.add_argument("--data", help="its data set; default: the run's")
    parser.add_argument("--per-group", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        run = RunDir.open(args.run)
        if not run.learnability.exists():
            raise UserError(f"{run.learnability} is missing; make it: {command('classify', run)}")
        wanted = chosen(Learnability.groups(run), args.per_group, args.seed)
        rows = {name: row for name, row in identified_rows(run, args.data, NO_DATA) if name in wanted}
    except UserError as error:
        print(f"probe_prompts: {error}", file=sys.stderr)
        return 1
    with atomic_path(args.out) as aside, aside.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows.values())
    print(f"{args.out}: {len(rows)} prompts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
