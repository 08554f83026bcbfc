"""Worked solutions of the built-in world's prompts, as JSON lines.

python examples/world_solutions.py WORLD > solutions.jsonl              for openrlhf-unlearn hints --solutions
python examples/world_solutions.py WORLD --run RUN > expert.jsonl       of those that RUN did not learn
"""

import argparse
import json
from pathlib import Path

from openrlhf_unlearn.store.prompts import Learnability
from openrlhf_unlearn.store.run_dir import RunDir, prompt_id, read_json
from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts, full_answer

parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
parser.add_argument("world", type=Path)
parser.add_argument("--run", type=Path, help="only the prompts that this run labels unlearnable or no_reward")
args = parser.parse_args()

world = read_json(args.world / "world.json")
wanted = None
if args.run:
    groups = Learnability.groups(RunDir(args.run))
    wanted = {name for name, group in groups.items() if group in ("unlearnable", "no_reward")}
for problem in draw_prompts(SETTINGS[world["setting"]], world["seed"])[0]:
    name, solution = prompt_id(problem.prompt, problem.label), full_answer(problem)
    if wanted is None or name in wanted:
        print(json.dumps({"prompt_id": name, "solution": solution, "response": solution}))
