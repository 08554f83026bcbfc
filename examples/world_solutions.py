"""Worked solutions of the built-in world's prompts, as JSON lines for `openrlhf-unlearn hints --solutions`.

python examples/world_solutions.py WORLD > solutions.jsonl
"""

import json
import sys
from pathlib import Path

from openrlhf_unlearn.store.run_dir import read_json
from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts, full_answer

world = read_json(Path(sys.argv[1]) / "world.json")
for problem in draw_prompts(SETTINGS[world["setting"]], world["seed"])[0]:
    print(json.dumps({"prompt": problem.prompt, "label": problem.label, "solution": full_answer(problem)}))
