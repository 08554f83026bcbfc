"""`openrlhf-unlearn transfer`: what training on some prompts does to others, predicted by gradients, and checked.

    openrlhf-unlearn transfer RUN                        the map, from RUN's probe
    openrlhf-unlearn transfer RUN --verify 8             short trainings on 8 clusters: does the prediction hold?
    openrlhf-unlearn transfer RUN --clusters gradients   clusters found in the gradients, in place of datasources
    openrlhf-unlearn transfer RUN --for hard.json --from pool.jsonl --budget 200 --output chosen

Needs a probe (openrlhf-unlearn probe). Writes RUN/transfer/PROBE.parquet, a row for each pair of clusters, and
PROBE.json. --for: a JSON list of prompt ids that were probed, or RUN/learnability.parquet:GROUP. --from: rows with
prompt and response, as sft-set writes them; without it the run's other probed prompts. Writes chosen.jsonl, best first,
and as controls of equal size random.jsonl and nearest.jsonl.
"""

import argparse
from pathlib import Path

import numpy as np

from openrlhf_unlearn.errors import UsageError, UserError
from openrlhf_unlearn.probe.rollouts import HARD, rollouts_that_train, source
from openrlhf_unlearn.probe.store import load
from openrlhf_unlearn.store.locks import hold
from openrlhf_unlearn.store.prompts import Prompts
from openrlhf_unlearn.store.run_dir import RunDir, check_name
from openrlhf_unlearn.store.trust import add_remote_code
from openrlhf_unlearn.transfer.in_the_run import in_the_run, predicted_change
from openrlhf_unlearn.transfer.inputs import clustered, default_probe, of_rollouts
from openrlhf_unlearn.transfer.output import write
from openrlhf_unlearn.transfer.predict import transfer_map
from openrlhf_unlearn.transfer.vectors import OBJECTIVES, Vectors, vectors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="run directory with a probe")
    add("--probe", help="name of the probe; default: initial if it is there, else the only one")
    add("--clusters", default="datasource", metavar="datasource|gradients|FILE.json", help="FILE: {prompt id: name}")
    add("--objective", choices=OBJECTIVES, default="likelihood", help="training on correct rollouts, or by GRPO")
    add("--verify", type=int, metavar="K", help="check by short trainings on the K largest clusters; 0: on all")
    add("--model", help="model of --verify and --from; default: the probe's")
    add("--steps", type=int, default=10, help="--verify: optimiser steps of each training")
    add("--batch", type=int, default=16, help="--verify: rollouts a step")
    add("--lr", type=float, default=1e-5, help="--verify: learning rate")
    add("--optimiser", choices=("adam", "sgd"), default="adam", help="--verify")
    add("--rollouts", type=int, default=4, help="--verify: correct rollouts of a prompt, at most")
    add("--for", dest="targets", metavar="IDS", help="choose data for these prompts: ids.json, or …parquet:GROUP")
    add("--from", dest="pool", metavar="POOL.jsonl", help="--for: rows to choose from, with prompt and response")
    add("--budget", type=int, default=100, help="--for: rows that are chosen")
    add("--output", type=Path, metavar="FOLDER", help="--for: where the three data sets go")
    add("--device", help="default: cuda where there is one, else cpu")
    add("--seed", type=int, default=0, help="of the halves, the trainings and the random control")
    add_remote_code(parser)


def run(args: argparse.Namespace) -> int:
    check(args)
    run_dir = RunDir.open(args.run)
    probe = args.probe or default_probe(run_dir)
    with hold(run_dir.transfer_table(probe), f"transfer --probe {probe}"):
        by_class, facts = load(run_dir.gradients(probe))
        if "correct" not in by_class:
            raise UserError(f"{run_dir.gradients(probe)} holds no gradients of correct rollouts; probe again")
        rates, lengths = of_rollouts(run_dir, facts["settings"])
        k = rollouts_that_train(run_dir)
        found, clusters = clustered(run_dir, vectors(by_class, args.objective, rates, k), by_class, args)
        if args.targets:
            from openrlhf_unlearn.transfer.dataset import choose

            return choose(run_dir, found, facts, args)
        names = [clusters.get(prompt, "") for prompt in found.ids]
        likelihood = transfer_map(found.train, found.feel, names)
        per_token = np.array([rates[prompt] * lengths[prompt] for prompt in found.ids], np.float32)
        pass_rate = transfer_map(found.train, found.feel * per_token[:, None], names)
        checked = None
        if args.verify is not None and likelihood.names:
            checked = short_trainings(run_dir, probe, found, clusters, facts, args)
        own = of_the_run(run_dir, vectors(by_class, "grpo", rates, k), rates, per_token, facts["settings"])
        write(run_dir, probe, likelihood, pass_rate, checked, own, args, found)
    return 0


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for values that make no sense."""
    for name in ("steps", "batch", "rollouts", "budget"):
        if getattr(args, name) < 1:
            raise UsageError(f"--{name} must be at least 1")
    if args.lr <= 0 or (args.verify or 0) < 0:
        raise UsageError("--lr must be above 0, --verify at least 0")
    if args.verify is not None and args.objective != "likelihood":
        raise UsageError("--verify trains on correct rollouts: it goes with --objective likelihood")
    if args.pool and not args.targets:
        raise UsageError("--from is a pool to choose from: name with --for whom to choose for")
    if args.targets and not args.output:
        raise UsageError("--for needs --output, the folder for what is chosen")
    if args.probe:
        check_name(args.probe, "--probe")


def of_the_run(run: RunDir, found: Vectors, rates: dict[str, float], per_token: np.ndarray, settings: dict):
    """What the run itself says of the prediction, where it has an evaluation `final` after the probe's `initial`."""
    if settings["tag"] != "initial" or settings["training_rollouts"] or not run.evaluation("final").exists():
        return None
    after, _ = of_rollouts(run, {**settings, "tag": "final"})
    hard = np.array([rates[name] < HARD and name in after for name in found.ids], bool)
    names = [name for name, chosen in zip(found.ids, hard, strict=True) if chosen]
    before = np.array([rates[name] for name in names])
    predicted = predicted_change(found.train, found.feel, per_token)[hard]
    return in_the_run(predicted, before, np.array([after[name] for name in names]))


def short_trainings(run: RunDir, probe: str, found: Vectors, clusters: dict[str, str], facts: dict, args):
    """The check of --verify, by the probe's own model and rollouts of the prompts that it took."""
    import torch

    from openrlhf_unlearn.evaluation.prompts import load_tokenizer
    from openrlhf_unlearn.probe.rollouts import choose as choose_rollouts
    from openrlhf_unlearn.probe.work import load_model
    from openrlhf_unlearn.transfer.check import verify
    from openrlhf_unlearn.transfer.verify import Recipe

    settings = facts["settings"]
    name = args.model or settings["model"]
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(name, "float32", device, args.trust_remote_code)
    table = source(run, settings["tag"], settings["training_rollouts"])
    every = (0, None, settings["max_rollouts"], settings["seed"], None)
    sample = choose_rollouts(run, table, load_tokenizer(name), model.config.get_text_config().vocab_size, *every)
    probed = set(found.ids)
    rollouts = [rollout for rollout in sample.rollouts if rollout.id in probed]
    texts = Prompts.texts(run)
    recipe = Recipe(args.steps, args.batch, args.lr, args.optimiser, args.rollouts, settings["temperature"])
    parts = run.transfer_parts(probe)
    return verify(model, rollouts, texts, found, clusters, args.verify, recipe, args.seed, parts)
