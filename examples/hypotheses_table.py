"""Which intervention taught what: one row a run, of runs on the same prompts.

    python examples/hypotheses_table.py [--truth world/truth.parquet] hypotheses/baseline/run hypotheses/no_kl/run ...

For the learnable and the unlearnable prompts (planted in `--truth`, else as the first run was classified): the share
whose final pass@1 is below tau, and the mean training reward of the last tenth of the steps. Then the mean fraction of
clipped tokens (paper, Figure 4), and the rollouts that were sampled.
"""

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.labels.counts import rates_by_prompt
from openrlhf_unlearn.pipeline.compare import rollouts_sampled
from openrlhf_unlearn.store.run_dir import RunDir
from openrlhf_unlearn.store.training import Clipping, Rewards
from openrlhf_unlearn.worlds.agreement import read_groups

GROUPS = ("learnable", "unlearnable")


def late_rewards(run: RunDir) -> dict[str, list[float]]:
    """prompt_id → mean rewards as sampled, in the last tenth of the steps."""
    after = max(run.steps()) * 0.9
    found = defaultdict(list)
    for row in Rewards.read(run).rows():
        if row.step > after and not row.processed:
            found[row.prompt_id].append(row.mean_reward)
    return found


def clip_fraction(run: RunDir) -> float:
    """Mean over prompts and steps of the fraction of clipped tokens, both kinds of rollouts by their number."""
    fractions = []
    for row in Clipping.read(run).rows():
        clipped = (row.positive_clip_fraction or 0) * row.n_positive
        clipped += (row.negative_clip_fraction or 0) * row.n_negative
        fractions.append(clipped / (row.n_positive + row.n_negative))
    return statistics.fmean(fractions)


def row_of(run: RunDir, groups: dict[str, str], tau: float) -> list[str]:
    passes, rewards = rates_by_prompt(run, "final"), late_rewards(run)
    cells = [run.path.parent.name]
    for group in GROUPS:
        members = [name for name, found in groups.items() if found == group and name in passes]
        if not members:
            raise UserError(f"{run}: no {group} prompt was evaluated; is --truth of these prompts?")
        cells.append(f"{sum(passes[name] < tau for name in members) / len(members):.2f}")
        late = [value for name in members for value in rewards.get(name, ())]
        cells.append(f"{statistics.fmean(late):.3f}" if late else "-")
    return [*cells, f"{clip_fraction(run):.2%}", f"{rollouts_sampled(run):,}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("runs", type=Path, nargs="+", help="finished run directories; the first is the baseline")
    parser.add_argument("--truth", type=Path, help="planted groups; default: the first run's learnability.parquet")
    parser.add_argument("--tau", type=float, default=0.1, help="final pass@1 below which a prompt was not learned")
    args = parser.parse_args()

    runs = [RunDir.open(path) for path in args.runs]
    groups = read_groups(args.truth or runs[0].learnability)
    head = ["run"]
    for group in GROUPS:
        head += [f"{group} < tau", "late reward"]
    rows = [[*head, "clipped", "rollouts"], *(row_of(run, groups, args.tau) for run in runs)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
