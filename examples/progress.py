"""One line of progress for a training run, in place of all that the host prints, which goes to a log.

python -m openrlhf.cli.train_ppo --plugin unlearn ... 2>&1 | python examples/progress.py --steps 60 --log train.log
"""

import argparse
import re
import sys
import time
from pathlib import Path

from tqdm import tqdm

STEP = re.compile(r"Global step (\d+): \{(.*)\}")
NUMBER = re.compile(r"'([\w/]+)': ([-+.\deE]+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=lambda text: int(text) if text else None, help="steps that the run will have")
    parser.add_argument("--log", type=Path, required=True, help="file to append the whole output to")
    args = parser.parse_args()

    shown = 0.0
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # a locale without UTF-8 must not end the training
    bar = tqdm(total=args.steps, desc="starting Ray, vLLM, DeepSpeed", unit="step")
    with args.log.open("a", encoding="utf-8") as log, bar:
        for line in sys.stdin:
            log.write(line)
            log.flush()
            if found := STEP.search(line):
                status = {name: float(value) for name, value in NUMBER.findall(found[2])}
                bar.set_description("training", refresh=False)
                bar.set_postfix(reward=f"{status['reward']:.2f}", refresh=False)
                bar.update(int(found[1]) - bar.n)
            elif time.monotonic() - shown > 0.5:
                bar.refresh()  # the clock goes on
                shown = time.monotonic()


if __name__ == "__main__":
    main()
