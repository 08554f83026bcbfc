"""The built-in world's gate on several seeds: does anything that is seen of a prompt tell what can be learned?

    python benchmarks/surface.py [WORLD ...]     folders of worlds; default: surface/world0, 1 and 2, made if need be

Prints, by world, the AUC of learnable against unlearnable prompts of all that is seen of a prompt by itself, from 64
answers to each trained and held-out one; the bar is 0.6 in either direction, on each world. Minutes a world to make,
half a minute to measure.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from openrlhf_unlearn.worlds.surface import surface_areas
from openrlhf_unlearn.worlds.world import write_world

BAR = 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("worlds", nargs="*", type=Path, metavar="WORLD")
    args = parser.parse_args()
    if not args.worlds:
        args.worlds = [Path("surface") / f"world{seed}" for seed in range(3)]
        for seed, folder in enumerate(args.worlds):
            write_world(folder, seed=seed)
    found = {str(world): surface_areas(world) for world in args.worlds}
    width = max(map(len, next(iter(found.values()))))
    for name in next(iter(found.values())):
        print(f"{name:<{width}}  " + "  ".join(f"{areas[name]:.3f}" for areas in found.values()))
    farthest = max(0.5 + abs(area - 0.5) for areas in found.values() for area in areas.values())
    print(json.dumps({"benchmark": "surface", "areas": found, "ratio": round(farthest, 3), "bar": BAR,
                      "better": "lower"}))  # fmt: skip


if __name__ == "__main__":
    main()
