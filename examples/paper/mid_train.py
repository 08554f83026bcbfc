"""A mid-trained model of the built-in world: its base, trained on with texts that show the way to an answer more often.

    python examples/paper/mid_train.py miniature/world miniature/models/mid

The base's warm-up shows the right method in one of 24 texts of the learnable letters; here it does in half of them.
Nothing else is different, and no prompt of the training or held-out data is among the texts.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from openrlhf_unlearn.store.run_dir import read_json
from openrlhf_unlearn.worlds.model import warm_up
from openrlhf_unlearn.worlds.task import SETTINGS, draw_prompts

STEPS, RIGHT_SHARE = 200, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("world", type=Path, help="folder of openrlhf-unlearn microworld")
    parser.add_argument("output", type=Path, help="where the model goes")
    args = parser.parse_args()

    world = read_json(args.world / "world.json")
    setting, seed = SETTINGS[world["setting"]], world["seed"]
    held_back = {problem.prompt for split in draw_prompts(setting, seed) for problem in split}
    richer = replace(setting, right_share={**setting.right_share, "learnable": RIGHT_SHARE})
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(args.world / "model")
    model = AutoModelForCausalLM.from_pretrained(args.world / "model", dtype=torch.float32)
    # The letters' methods are those of the world's seed, so the texts must be drawn by it too.
    warm_up(model, tokenizer, richer, seed, held_back, STEPS)
    model.save_pretrained(args.output)
    tokenizer.save_pretrained(args.output)


if __name__ == "__main__":
    main()
