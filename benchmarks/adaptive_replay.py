"""What `--adaptive` would have saved on an evaluation that is done, and which labels it would have changed.

    python benchmarks/adaptive_replay.py RUN [RUN ...] [--tags initial,final] [--error-rate 0.04]

Plays the stopping rule on the evaluation's own samples, in random orders (any order is as likely), and compares each
label at the stop with that of all samples. Reads evaluations and writes nothing.
"""

import argparse

import numpy as np

from openrlhf_unlearn.cli.help_text import Formatter
from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.evaluation.adaptive import Plan
from openrlhf_unlearn.labels.counts import read_evaluation
from openrlhf_unlearn.store.run_dir import RunDir, read_table


def replay(hits: np.ndarray, plan: Plan) -> tuple[float, float]:
    """(mean samples at the stop, share of labels that are those of all samples); hits: (prompts, samples) of bool."""
    taken, same = [], []
    for row in hits:
        n = 0
        while more := plan.wanted(n, int(row[:n].sum())):
            n += more
        taken.append(n)
        same.append((row[:n].mean() >= plan.settle) == (row.mean() >= plan.settle))
    return float(np.mean(taken)), float(np.mean(same))


def outcomes(run: RunDir, tag: str) -> np.ndarray:
    """(prompts, samples) of bool. Raises UserError if prompts have different numbers of samples."""
    ids = read_table(run.prompts, ["prompt_id"]).column("prompt_id").combine_chunks()
    evaluation = read_evaluation(run.evaluation(tag), ids)
    if evaluation.n.min() != evaluation.n.max():
        raise UserError(f"{evaluation.path} has uneven sample counts; a replay needs all samples of each prompt")
    return evaluation.hit[np.argsort(evaluation.row, kind="stable")].reshape(len(ids), -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Formatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run directories with evaluations of fixed size")
    parser.add_argument("--tags", default="initial,final", help="evaluations, separated by commas")
    parser.add_argument("--error-rate", type=float, default=0.04, help="as of evaluate --adaptive")
    parser.add_argument("--orders", type=int, default=10, help="random orders of the samples")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    for path in args.runs:
        for tag in args.tags.split(","):
            hits = outcomes(RunDir.open(path), tag)
            plan = Plan(hits.shape[1], args.error_rate)
            taken, same = np.mean([replay(rng.permuted(hits, axis=1), plan) for _ in range(args.orders)], axis=0)
            print(f"{path} {tag}: {taken:.1f} of {plan.n} samples ({taken / plan.n:.0%}), {same:.2%} labels the same")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"replay: {error}") from None
